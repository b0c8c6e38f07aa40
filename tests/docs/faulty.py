"""That documents.py finds what is wrong: in faulty.md each block or line of code
under "Wrong" must be reported, and none under "Right".

usage: faulty.py ROOT
"""
import re
import sys

import documents

FAULTY = 'tests/docs/faulty.md'


def wanted_places(path):
    """Places of the wrong ones: marked by a line "Wrong: ..." before them."""
    places, wrong, fenced = set(), False, False
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        if line.startswith('```'):
            fenced = not fenced
            if fenced and wrong and not line.startswith('```text'):
                places.add(f'{FAULTY}:{number + 1}')
            wrong = wrong and fenced
        elif not fenced and line.startswith('Wrong'):
            wrong = '`' not in line
            if not wrong:
                places.add(f'{FAULTY}:{number}')
    return places


def main(root):
    wanted = wanted_places(f'{root}/{FAULTY}')
    report = documents.check_documents(root, [FAULTY])
    for place in sorted(wanted ^ report.wrong):
        print(f'FAULTY: {place} ' + ('was not found' if place in wanted else 'is not wrong'))
    bad = len(wanted ^ report.wrong)
    print(f'{0 if bad else 100}%: Checks: {report.checks}, Failures: {bad}, Errors: 0')
    return 1 if bad or len(wanted) < 10 else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
