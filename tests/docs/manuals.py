"""Checks the manual pages against the header, the library and the command.

usage: manuals.py ROOT

Every call stands in the SYNOPSIS of one page as the header declares it, and in its
NAME; no page names a call that there is not; libxcluster(3) lists all pages of its
section; all pages are installed; every command has a section in xcluster(1).
"""
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys

import header


class Page:
    def __init__(self, path):
        self.name = os.path.basename(path)
        with open(path, encoding='utf-8') as file:
            self.lines = file.read().split('\n')

    def section(self, title):
        """(number, line) of the lines below .Sh title."""
        inside = False
        for number, line in enumerate(self.lines, 1):
            if line.startswith('.Sh '):
                inside = line == '.Sh ' + title
            elif inside:
                yield number, line

    def section_of_command(self, name):
        """The text of its section, and of those that it refers to."""
        text = '\n'.join(line for _, line in self.section(name.upper()))
        return text and text + '\n'.join(
            line for title in re.findall(r'^\.Sx (\w+)', text, re.M)
            for _, line in self.section(title))

    def synopsis(self):
        """(number, name, type, parameters or None where they are left out)."""
        kind = ''
        for number, line in self.section('SYNOPSIS'):
            if line.startswith('.Ft '):
                kind = header.squeezed(line[4:])
            elif line.startswith('.Fn '):
                name, *parameters = shlex.split(line[4:])
                left_out = parameters == ['...']
                yield number, name, kind, None if left_out else header.squeezed(
                    ','.join(parameters))

    def named(self):
        """(number, name) of each call named anywhere."""
        pattern = r'\.(?:It )?(?:Pq )?(?:Fn|Xr|Nm) (.*)'
        for number, line in enumerate(self.lines, 1):
            found = re.match(pattern, line)
            if found and not line.startswith(('.Fn xc_task_fn',)):
                for name in re.findall(r'(?<!["\w])xc_\w+', found[1].split('"')[0]):
                    yield number, name


class Checks:
    def __init__(self):
        self.count = self.bad = 0

    def check(self, good, complaint):
        self.count += 1
        if not good:
            self.bad += 1
            print(complaint)

    def finish(self):
        percent = 100 * (self.count - self.bad) // max(self.count, 1)
        print(f'{percent}%: Checks: {self.count}, Failures: {self.bad}, Errors: 0')
        return 1 if self.bad or not self.count else 0


def check_calls(pages, calls, checks):
    documented = {}
    for page in pages:
        for number, name, kind, parameters in page.synopsis():
            if name == 'xc_task_fn':
                continue
            place = f'docs/man/{page.name}:{number}'
            checks.check(name in calls, f'{place}: {name} is not in xcluster.h')
            checks.check(name not in documented, f'{place}: {name} stands in '
                         f'{documented.get(name)}, too')
            documented[name] = page.name
            in_name = any(re.match(rf'\.Nm {name}( ,)?$', line)
                          for _, line in page.section('NAME'))
            checks.check(in_name, f'{place}: {name} is not in NAME')
            if name in calls:
                declared = calls[name]
                checks.check(kind == declared[0], f'{place}: {name} is of type {declared[0]}')
                checks.check(parameters in (None, declared[1]),
                             f'{place}: the parameters of {name} are {declared[1]}')
    for name in calls:
        checks.check(name in documented, f'include/xcluster.h: {name} is in no manual page')


def check_names(pages, calls, checks):
    known = set(calls) | {page.name.rpartition('.')[0] for page in pages} | {'xc_task_fn'}
    for page in pages:
        for number, name in page.named():
            checks.check(name in known, f'docs/man/{page.name}:{number}: there is no {name}')


def check_exports(calls, checks):
    library = os.path.join(os.environ['XC_TEST_LIBDIR'], 'libxcluster.so.0')
    if not shutil.which('nm'):
        return
    listed = subprocess.run(['nm', '-D', '--defined-only', library], check=True, text=True,
                            capture_output=True).stdout
    exported = set(re.findall(r' T (xc_\w+)', listed))
    for name in sorted(exported ^ set(calls)):
        where = 'exported, but not in xcluster.h' if name in exported else 'not exported'
        checks.check(False, f'libcluster/libxcluster.map: {name} is {where}')
    checks.check(exported, 'libxcluster.so.0 exports nothing')


def check_index(root, pages, checks):
    overview = next(page for page in pages if page.name == 'libxcluster.3')
    with open(os.path.join(root, 'docs/man/meson.build'), encoding='utf-8') as file:
        installed = set(re.findall(r"'([^']+)'", file.read()))
    for page in pages:
        name, _, section = page.name.rpartition('.')
        checks.check(page.name in installed, f'docs/man/meson.build: {page.name} is missing')
        if page is not overview:
            checks.check(any(line.startswith(f'.It Xr {name} {section} ')
                             for line in overview.lines) or section == '1',
                         f'docs/man/libxcluster.3: {page.name} is missing')


def check_commands(pages, checks):
    command = os.environ['XCLUSTER_COMMAND']
    overview = subprocess.run([command, 'help'], check=True, text=True,
                              capture_output=True).stdout
    page = next(page for page in pages if page.name == 'xcluster.1')
    for name in re.findall(r'^  (\w+)  ', overview, re.M):
        place = f'docs/man/xcluster.1: {name}'
        lines = page.section_of_command(name)
        checks.check(lines, f'{place} has no section')
        told = subprocess.run([command, name, '--help'], check=True, text=True,
                              capture_output=True).stdout
        for option in re.findall(r'^ +(?:-\w, )?--([\w-]+)', told, re.M):
            if option not in ('help', 'usage', 'version'):
                checks.check(re.search(rf'Fl -{option}|, -{option}\b', lines),
                             f'{place}: --{option} is missing')


def main(root):
    pages = [Page(path) for path in sorted(glob.glob(os.path.join(root, 'docs/man/*.[1-9]')))]
    calls = header.prototypes(root)
    checks = Checks()
    checks.check(len(calls) > 50, f'xcluster.h declares only {len(calls)} calls')
    check_calls(pages, calls, checks)
    check_names(pages, calls, checks)
    check_exports(calls, checks)
    check_index(root, pages, checks)
    check_commands(pages, checks)
    return checks.finish()


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
