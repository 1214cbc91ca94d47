"""What every tool here ends with: a line "N passed, N failed", and an exit status."""
import sys


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, right, problem):
        """Counts one check; says `problem` if it is not right."""
        if right:
            self.passed += 1
        else:
            self.failed += 1
            print(problem)

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(self.failed > 0)
