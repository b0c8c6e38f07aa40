"""A cluster of four engines, and the programs and commands of documents run on it."""
import os
import re
import shlex
import shutil
import subprocess

import code

ENGINES = 4
LIMIT = 60 # seconds of one program


def masked(text, how):
    """The lines of a text as they are compared."""
    lines = [line.rstrip() for line in text.strip('\n').split('\n')]
    if how == 'numbers':
        lines = [re.sub(r'\d+(\.\d+)?', '#', line) for line in lines]
    return sorted(lines) if how == 'sorted' else lines


def difference(wanted, output):
    how = wanted.kind.partition(' ')[2]
    if how == 'shown' or masked(wanted.text, how) == masked(output, how):
        return None
    return f'it does not print what stands at line {wanted.line}, but\n{output}'


def xcluster_commands(text):
    """The words behind each `xcluster` that stands where a command does."""
    lexer = shlex.shlex(text.replace('\n', '\n;\n'), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands = [[]]
    for word in lexer:
        if set(word) <= set('();<>|&'):
            commands.append([])
        elif commands[-1] or not re.match(r'\w+=', word):
            commands[-1].append(word)
    return [words[1:] for words in commands if words[:1] == ['xcluster'] and words[1:]]


class Session:
    """Its directory has the programs, and bin/ the commands that documents name."""

    def __init__(self, root, work, compiler):
        self.root, self.work, self.compiler = root, work, compiler
        self.command = os.environ['XCLUSTER_COMMAND']
        self.help = {}
        self.started = False
        self.programs = 0

    def __enter__(self):
        self.environment = dict(os.environ)
        for name in ('XCLUSTER', 'XCLUSTER_CONNECTION'):
            self.environment.pop(name, None)
        uninstalled = os.path.join(self.compiler.libdir, 'meson-uninstalled')
        self.environment.update(XCLUSTER_DIR=os.path.join(self.work, 'd'),
                                LD_LIBRARY_PATH=self.compiler.libdir,
                                PKG_CONFIG_PATH=uninstalled,
                                PATH=os.path.join(self.work, 'bin') + ':' + os.environ['PATH'])
        os.makedirs(os.path.join(self.work, 'bin'))
        os.makedirs(os.path.join(self.work, 'd'), mode=0o700)
        os.symlink(self.command, os.path.join(self.work, 'bin', 'xcluster'))
        os.symlink(os.path.join(self.root, 'examples'), os.path.join(self.work, 'examples'))
        self.write_compilers()
        return self

    def write_compilers(self):
        """In bin/, with the flags of the engines."""
        for name, compiler in (('cc', self.compiler.cc), ('c++', self.compiler.cxx),
                               ('gfortran', self.compiler.fortran)):
            # By its path: a compiler named cc would be this script itself.
            found = compiler and shutil.which(compiler)
            if not found:
                continue
            path = os.path.join(self.work, 'bin', name)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(f'#!/bin/sh\nexec {found} "$@" {shlex.join(code.SANITIZE)}\n')
            os.chmod(path, 0o755)

    def __exit__(self, *_):
        self.run([self.command, 'stop', '--all'])

    def run(self, command, limit=LIMIT):
        """(status, output and complaints), the latter empty for standard error apart."""
        try:
            done = subprocess.run(command, cwd=self.work, env=self.environment, text=True,
                                  stdin=subprocess.DEVNULL, timeout=limit,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired as late:
            return -1, f'{(late.output or b"").decode()}\nit did not end within {limit} s'
        return done.returncode, done.stdout

    def start(self):
        """The cluster, at the first program that needs it."""
        status, output = self.run([self.command, 'status'])
        if status == 0:
            return None
        status, output = self.run([self.command, 'start', '-n', str(ENGINES)])
        return output if status else None

    def source(self, block):
        self.keep(block)
        return self.compiler.check(code.located(block, block.text), block.kind)

    def keep(self, block):
        """Writes the text under the name that its first line gives it, if any."""
        name = re.match(r'(?:/\*|!) (\w+\.[chf]\w*):', block.text)
        if name:
            with open(os.path.join(self.work, name[1]), 'w', encoding='utf-8') as file:
                file.write(block.text)
        return name and name[1].rpartition('.')[0]

    def program(self, block, wanted):
        self.programs += 1
        name = self.keep(block) or f'program{self.programs}'
        complaint = self.compiler.link(code.located(block, block.text), name,
                                       block.kind)
        complaint = complaint or self.start()
        if complaint or (wanted and wanted.kind == 'text shown'):
            return complaint
        status, output = self.run(['./' + name])
        return self.judge(status, output, wanted)

    def judge(self, status, output, wanted):
        if status != 0:
            return f'it ends with {status}:\n{output}'
        # A sanitizer has crashes end otherwise.
        if not wanted or (code.SANITIZE and 'killed by signal' in wanted.text):
            return None
        return difference(wanted, output)

    def commands(self, block, wanted):
        syntax = subprocess.run(['sh', '-n'], input=block.text, text=True, capture_output=True,
                                check=False)
        complaint = syntax.stderr or self.unknown_options(block.text)
        if complaint or block.kind != 'sh run':
            return complaint
        if re.match('gfortran ', block.text) and not self.compiler.fortran:
            return None
        complaint = self.start()
        if complaint:
            return complaint
        return self.judge(*self.run(['sh', '-e', '-c', block.text]), wanted)

    def unknown_options(self, text):
        """The first subcommand or option of xcluster that it does not have."""
        for command, *rest in xcluster_commands(text):
            if command in ('help', '--help', '--version'):
                continue
            known = self.help_of(command)
            if known is None:
                return f'xcluster has no command {command}'
            for word in rest:
                option = re.match(r'--?[\w-]+', word)
                if option and option[0] not in known:
                    return f'xcluster {command} has no option {option[0]}'
        return None

    def help_of(self, command):
        """The options of a subcommand; None when there is none of this name."""
        if command not in self.help:
            status, output = self.run([self.command, command, '--help'])
            self.help[command] = None if status else set(re.findall(r'(?<=[\s,])--?[\w?-]+', output))
        return self.help[command]
