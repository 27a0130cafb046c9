"""What the module's four classes in CovidSeg.py call: scene, tables, choices, child process, one run, dependencies."""
