"""Tools that look inside a computation. They watch the engine, and the engine does not know them."""
