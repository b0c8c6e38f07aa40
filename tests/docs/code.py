"""Compiling the code of documents, and naming what is wrong by document and line."""
import os
import re
import shlex
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SANITIZE = shlex.split(os.environ.get('XC_TEST_CFLAGS', ''))
STRICT = ['-Wall', '-Wextra', '-Werror']
NAMES = {'c': 'c', 'cpp': 'c++', 'fortran': 'f95'} # for -x
C_FLAGS = ['-std=c11', '-D_DEFAULT_SOURCE'] + STRICT # the last as with cc alone


class Compiler:
    def __init__(self, root, work):
        self.include = os.path.join(root, 'include')
        self.libdir = os.environ['XC_TEST_LIBDIR']
        self.work = work
        self.cc = os.environ.get('XC_TEST_CC', 'cc')
        self.cxx = shutil.which('g++') or shutil.which('c++')
        self.fortran = shutil.which('gfortran')

    def run(self, command, text):
        """What the compiler has against this text; empty when nothing."""
        made = subprocess.run(command + ['-I' + self.include], input=text, text=True,
                              capture_output=True, cwd=self.work)
        return '' if made.returncode == 0 else made.stderr or f'status {made.returncode}'

    def check(self, text, language='c'):
        return self.run(self.command(language) + ['-fsyntax-only', *self.source(language)], text)

    def link(self, text, name, language='c'):
        return self.run(self.command(language) +
                        [*SANITIZE, '-O1', '-o', name, *self.source(language), '-xnone',
                         '-L' + self.libdir, '-lxcluster', '-lm', '-Wl,-rpath,' + self.libdir],
                        text)

    def source(self, language):
        """The text, from standard input, and what must be compiled before it."""
        modules = fortran_modules(self.include) if language == 'fortran' else []
        return [*modules, '-x' + NAMES[language], '-']

    def command(self, language):
        """The compiler and its flags."""
        return {'c': [self.cc, *C_FLAGS],
                'cpp': [self.cxx, '-std=c++17', *STRICT],
                'fortran': [self.fortran, '-std=f2018', '-ffree-form', '-Wno-unused-dummy-argument', *STRICT]
                }[language]


def fortran_modules(include):
    """In the order in which they are compiled, as pkg-config tells them."""
    return [f'{include}/{name}.f90' for name in ('xcluster_calls', 'xcluster_random', 'xcluster')]


def located(block, text):
    line = '#' if block.kind == 'fortran' else '#line'
    return f'{line} {block.line} "{block.path}"\n{text}'


def body_unit(bodies):
    """One translation unit in which each of the (block, code) is a function."""
    with open(os.path.join(HERE, 'prelude.h'), encoding='utf-8') as file:
        unit = file.read()
    for i, (block, code) in enumerate(bodies):
        unit += f'int body_{i}(void);\nint body_{i}(void)\n{{\n'
        unit += located(block, code) + '\n'
        unit += f'#line 1 "end of {block.place}"\nreturn 0;\n}}\n'
    return unit


def check_bodies(compiler, bodies):
    """Pairs of block and complaint. They are compiled together, and one by one only
    when something is wrong, as one may spoil the next."""
    if not bodies or not compiler.check(body_unit(bodies)):
        return []
    alone = [(block, compiler.check(body_unit([(block, code)]))) for block, code in bodies]
    return [(block, complaint) for block, complaint in alone if complaint]


def statement_of(code):
    """The statement to compile for code within a line; None when it is a name, a
    command or anything else that is no C of this library."""
    if not re.search(r'\bxc_\w+\(|^(options|stream)\.\w+ = ', code) or code.endswith(')()'):
        return None
    if code.startswith(('#', '$', '.', '%')):
        return None
    if code.startswith('xc_') and not re.search(r'(?<![=!<>])=(?!=)|;', re.sub(r'\(.*\)', '', code)):
        return f'(void)({code});' # of any type, a comparison too
    return code if code.endswith(';') else code + ';'
