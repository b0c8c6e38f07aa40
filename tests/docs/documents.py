"""Checks the code of the documents: that it compiles, and that what programs and
commands are said to print is what they print.

usage: documents.py ROOT [DOCUMENT...]   (of ROOT; default: all)

In a fence stands what is in it:

  c             a translation unit. With a main() it is linked and run on a cluster
                of four engines. Named by its first line, as in /* fit.c: ..., it is
                kept under that name, and the program under fit.
  c body        statements, compiled within a function, with prelude.h
  cpp           as c, if there is a C++ compiler
  fortran       as c, if there is gfortran; named as in ! fit.f90: ..., and run if it
                has a program
  python        a script: its syntax
  sh            commands: their syntax, and the subcommands and options of xcluster
  sh run        as well, and run, in the directory of the programs before
  text          what the program or the commands in the block before print:
                exactly; `numbers`: whatever the numbers are; `sorted`: in
                whatever order; `shown`: not compared

Links within the repository lead somewhere. Code in a line that calls the library is
compiled as a statement, and a name of the library must be in its header. Manual pages:
examples are compiled and run, other displays compiled and compared with the header.

Prints a line for each block that is wrong, and at last a line of counts.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

import blocks
import code
import header
import session


class Report:
    def __init__(self):
        self.checks = 0
        self.wrong = set()

    def check(self, block, complaint):
        self.checks += 1
        if complaint:
            self.wrong.add(block.place)
            print(f'{block.place}: {block.kind}: {complaint.rstrip()}', flush=True)

    def finish(self):
        bad = len(self.wrong)
        percent = 100 * (self.checks - bad) // max(self.checks, 1)
        print(f'{percent}%: Checks: {self.checks}, Failures: {bad}, Errors: 0')
        return 1 if bad or not self.checks else 0


def is_program(block):
    return re.search(r'^int main\(|^program ', block.text, re.M)


def check_block(block, following, compiler, run):
    """What is wrong with a block that is not statements; None for nothing."""
    wanted = following if following and following.kind.startswith('text') else None
    if block.kind not in blocks.KINDS:
        return f'this is none of {", ".join(sorted(blocks.KINDS))}'
    if block.kind in ('c', 'cpp', 'fortran') and not compiler.command(block.kind)[0]:
        return None
    if block.kind in ('c', 'cpp', 'fortran'):
        return run.program(block, wanted) if is_program(block) else run.source(block)
    if block.kind == 'python':
        try:
            compile('\n' * (block.line - 1) + block.text, block.path, 'exec')
        except SyntaxError as error:
            return str(error)
    if block.kind.startswith('sh'):
        return run.commands(block, wanted)
    return None


def check_markdown(path, shown, compiler, run, report):
    found = blocks.read_markdown(path, shown)
    bodies = [(block, block.text) for block in found if block.kind == 'c body']
    names = header.names(compiler)
    spans = blocks.read_inline(path, shown)
    for span in spans:
        statement = code.statement_of(span.text)
        if statement:
            bodies.append((span, statement))
        else:
            for name in re.findall(r'\b(?:xc_|XC_(?!TEST_|VECTORS))\w+', span.text):
                report.check(span, '' if name in names else f'{name} is not in xcluster.h')
    for command in blocks.read_unfenced(path, shown):
        report.check(command, 'a command belongs into a fence')
    for link in blocks.read_links(path, shown):
        report.check(link, blocks.complaint_of_link(path, link.text))
    complaints = {}
    for block, complaint in code.check_bodies(compiler, bodies):
        complaints.setdefault(block.place, complaint)
    for block, _ in bodies:
        report.check(block, complaints.get(block.place))
    for block, following in zip(found, found[1:] + [None]):
        if block.kind != 'c body' and not block.kind.startswith('text'):
            report.check(block, check_block(block, following, compiler, run))


def check_manual(path, shown, compiler, run, report):
    for block in blocks.read_manual(path, shown):
        if block.kind == 'sh':
            sent = re.findall(r'^\$ (.*)$', block.text, re.M)
            block.text = '\n'.join(sent) + '\n'
            report.check(block, run.commands(block, None))
        elif block.kind == 'c body':
            complaints = code.check_bodies(compiler, [(block, block.text)])
            report.check(block, complaints[0][1] if complaints else None)
        elif block.kind == 'c' and 'xcluster.h>' in block.text:
            report.check(block, check_block(block, None, compiler, run))
        elif block.kind == 'c':
            report.check(block, compiler.check(header.comparison(block)))


def documents_of(root):
    patterns = ['README.md', 'docs/*.md', 'bench/README.md', 'tests/README.md', 'docs/man/*.[137]']
    return [os.path.relpath(path, root)
            for pattern in patterns for path in sorted(glob.glob(os.path.join(root, pattern)))]


def check_documents(root, documents):
    report = Report()
    with tempfile.TemporaryDirectory(prefix='xcdocs.', dir='/tmp') as work:
        compiler = code.Compiler(root, work)
        with session.Session(root, work, compiler) as run:
            for shown in documents:
                check = check_markdown if shown.endswith('.md') else check_manual
                check(os.path.join(root, shown), shown, compiler, run, report)
    return report


def main(root, *documents):
    return check_documents(root, list(documents) or documents_of(root)).finish()


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
