"""Tools that look inside a computation. They watch the engine, and the engine does not know them."""


# Where each tool is. They are loaded when they are first used: importing minigrad takes no longer for them.
TOOLS = {
    "explain": "explanation", "graph": "drawing", "find_nan": "nans", "check_grads": "checks", "crosscheck": "crosscheck",
    "profile": "profile",
}
