"""`python -m desktop` is the console script `homing`."""

from desktop.cli import main

main(prog_name="homing")
