"""That the tests of documents and manual pages find what is wrong.

usage: faulty.py ROOT

In faulty.md, and in the manual page faulty.3, what a line "Wrong: ..." announces must be
reported, and nothing else; and so must each of a number of changes to the real manual
pages.
"""
import contextlib
import io
import os
import shutil
import sys
import tempfile

import documents
import manuals

FAULTY = ['tests/docs/faulty.md', 'tests/docs/faulty.3']

# File, what stands there, what shall, and what is then complained of.
CHANGES = [
    ('include/xcluster.h', 'XC_API const char *xc_version(void);',
     'XC_API const char *xc_version(void);\nXC_API int xc_undocumented(int n);',
     'xc_undocumented is in no manual page'),
    ('docs/man/xc_push.3', '.Fn xc_clear "const struct xc_view *view"', '.Fn xc_clear "int view"',
     'the parameters of xc_clear are'),
    ('docs/man/xc_push.3', '.Ft int\n.Fn xc_clear', '.Ft void\n.Fn xc_clear', 'xc_clear is of type'),
    ('docs/man/xc_push.3', '.Nm xc_clear ,\n', '', 'xc_clear is not in NAME'),
    ('docs/man/xc_wait.3', '.Xr xc_map 3', '.Xr xc_mop 3', 'there is no xc_mop'),
    ('docs/man/xc_wait.3', '.Fn xc_next\n', '.Fn xc_last\n', 'there is no xc_last'),
    ('docs/man/libxcluster.3', '.It Xr xc_push 3', '.It Xr push 3', 'xc_push.3 is missing'),
    ('docs/man/meson.build', "'xc_map.3'", "'map.3'", 'xc_map.3 is missing'),
    ('docs/man/xcluster.1', '.Sh LOGS', '.Sh PROTOCOLS', 'logs has no section'),
    ('docs/man/xcluster.1', '-heartbeat-timeout', '-heart-timeout', '--heartbeat-timeout is missing'),
]


def wanted_places(root, shown):
    """Of each block, or line of code, that is announced as wrong."""
    places, wrong, fenced = set(), False, False
    with open(os.path.join(root, shown), encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            if line.startswith(('```', '.Bd', '.Ed')):
                fenced = not fenced
                if fenced and wrong and not line.startswith('```text'):
                    places.add(f'{shown}:{number + 1}')
                wrong = False
            elif not fenced and wrong and line.startswith('    '):
                places.add(f'{shown}:{number}')
                wrong = False
            elif not fenced and line.startswith('Wrong'):
                wrong = '`' not in line and '](' not in line
                if not wrong:
                    places.add(f'{shown}:{number}')
    return places


def complaints_after(root, path, old, new):
    """What manuals.py prints when the file is changed."""
    with tempfile.TemporaryDirectory(prefix='xcdocs.', dir='/tmp') as copy:
        for folder in ('docs/man', 'include'):
            shutil.copytree(os.path.join(root, folder), os.path.join(copy, folder))
        changed = os.path.join(copy, path)
        with open(changed, encoding='utf-8') as file:
            text = file.read()
        if old not in text:
            return f'{path} has no {old!r}'
        with open(changed, 'w', encoding='utf-8') as file:
            file.write(text.replace(old, new))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            manuals.main(copy)
        return printed.getvalue()


def main(root):
    wanted = set().union(*(wanted_places(root, shown) for shown in FAULTY))
    found = documents.check_documents(root, FAULTY).wrong
    missed = [f'{place}: ' + ('this was not found' if place in wanted else 'this is not wrong')
              for place in sorted(wanted ^ found)]
    for path, old, new, complaint in CHANGES:
        printed = complaints_after(root, path, old, new)
        if complaint not in printed:
            missed.append(f'{path}, {old!r} for {new!r}: not complained of, but\n{printed}')
    for line in missed:
        print('FAULTY: ' + line)
    checks = len(wanted) + len(CHANGES)
    print(f'{0 if missed else 100}%: Checks: {checks}, Failures: {len(missed)}, Errors: 0')
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
