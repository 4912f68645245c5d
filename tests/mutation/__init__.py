"""Mutation testing: small faults are put into minigrad, one at a time, and the tests have to notice each of them.

``python -m tests.mutation`` puts some 480 faults (mutants) into all files of minigrad. A mutant that no test notices has
survived. It shows something that no test checks. Either a new test has to fail for it, or `explained.txt` says why no test
can.

- `mutants` makes the mutants. Which ones it chooses depends on a seed and on the text around each place. It does not depend
  on line numbers. So a change in one place of a file does not change the choice in other places.
- `reach` finds out which tests reach which lines, and runs the tests of one mutant.
- `by_hand.txt` holds faults that are always tried. Each of them survived once.
- `explained.txt` holds faults that no test can notice, each with the reason. They are left out.

A fault is killed by the first test that fails. The tests that reach its line run in an order: first those for its file, one
case of each test, then the next cases. They run for some seconds, so a survivor may still be killed with ``--seconds 100``.
The map of lines and tests is measured at the first run, which takes some ten minutes. It is measured again only for files
of tests that have changed.

The libraries for this do not fit. They replace each function by one that chooses among its mutants when it is called. But
most rules are lambdas in calls of `defvjp` at the level of a module, and minigrad reads the names of their parameters. Or
they start a new process for each mutant, which takes longer to import JAX and to collect 15,000 tests than to notice most
mutants. Here a mutant is one fork of a process that has imported everything except minigrad, in a copy of the checkout.
"""
