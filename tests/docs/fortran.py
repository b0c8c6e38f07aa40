"""Compares the modules for Fortran with xcluster.h: types of the same size with the same members at the
same places, constants of the same value, calls with the same parameters.

usage: fortran.py ROOT
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import code
import header

KINDS = {'c_int': 'int', 'c_int64_t': 'int64_t', 'c_size_t': 'size_t', 'c_double': 'double',
         'c_float': 'float', 'c_bool': 'bool', 'c_ptr': 'pointer', 'c_funptr': 'pointer', 'c_int32_t': 'int32_t'}


def read(root):
    """The modules without comments, continued lines joined."""
    text = ''
    for path in code.fortran_modules(root + '/include'):
        with open(path, encoding='utf-8') as file:
            text += re.sub(r'!.*', '', file.read())
    return re.sub(r'&\s*\n\s*', '', text)


def types(module):
    """name -> members of every type that C has, too."""
    found = re.findall(r'^ *type, bind\(c\) :: (\w+)$(.*?)end type', module, re.M | re.S)
    return {name: [re.match(r'\w+', member.strip())[0]
                   for line in re.findall(r'::(.*)', body)
                   for member in re.split(r',(?![^(]*\))', line)]
            for name, body in found}


def constants(module):
    lines = re.findall(r'parameter :: (.*)', module)
    return [name for line in lines for name in re.findall(r'\b(XC_\w+) *=', line)]


def fortran_class(declaration):
    """Of a parameter or result, how it is passed."""
    kind = re.match(r'\w+\((\w+|\*|kind=\w+)\)', declaration)[1]
    if 'value' not in declaration.split('::')[0]:
        return 'pointer'
    return KINDS[kind]


def fortran_calls(module):
    """name in C -> (class of the result, classes of the parameters)."""
    calls = {}
    pattern = (r'^ *(?:([\w()]+) function|subroutine) (\w+)\(([^)]*)\) bind\(c(?:, name=\'(\w+)\')?\)'
               r'(.*?)end (?:function|subroutine)')
    for result, name, parameters, named, body in re.findall(pattern, module, re.M | re.S):
        declared = {}
        for line in re.findall(r'^.*::.*$', body, re.M):
            left, _, right = line.strip().partition('::')
            for variable in re.split(r',(?![^(]*\))', right):
                declared[re.match(r'\w+', variable.strip())[0]] = left
        classes = [fortran_class(declared[p.strip()]) for p in parameters.split(',') if p.strip()]
        kind = re.search(r'\((\w+)\)', result)
        calls[named or name] = (KINDS.get(kind[1], kind[1]) if kind else 'void', classes)
    return calls


def c_class(text):
    if '*' in text or '[' in text or text in ('...', 'xc_task_fn', 'va_list'):
        return 'pointer'
    words = [w for w in re.findall(r'\w+', text) if w not in ('const', 'struct')]
    # Fortran has no unsigned integers.
    return 'int' if words[0] == 'enum' else re.sub(r'^u(?=int)', '', words[0])


def c_calls(root):
    return {name: (c_class(result), [c_class(p) for p in parameters.split(',') if p != 'void'])
            for name, (result, parameters) in header.prototypes(root).items()}


def c_program(module):
    unit = '#include <stddef.h>\n#include <stdio.h>\n#include <xcluster.h>\nint main(void)\n{\n'
    for name, members in types(module).items():
        unit += f'printf("{name} %zu\\n", sizeof(struct {name}));\n'
        for member in members:
            unit += f'printf("{name}.{member} %zu\\n", offsetof(struct {name}, {member}));\n'
    for name in constants(module):
        unit += f'printf("{name} %lld\\n", (long long)({name}));\n'
    return unit + 'return 0;\n}\n'


def fortran_program(module):
    unit = 'program layout\nuse xcluster\nimplicit none\n'
    for i, name in enumerate(types(module)):
        unit += f'type({name}), target :: t{i}\n'
    for i, (name, members) in enumerate(types(module).items()):
        unit += f'print "(a, i0)", "{name} ", c_sizeof(t{i})\n'
        for member in members:
            unit += (f'print "(a, i0)", "{name}.{member} ", '
                     f'place(c_loc(t{i}%{member})) - place(c_loc(t{i}))\n')
    for name in constants(module):
        unit += f'print "(a, i0)", "{name} ", {name}\n'
    return unit + ('contains\ninteger(c_intptr_t) function place(p)\ntype(c_ptr), intent(in) :: p\n'
                   'place = transfer(p, place)\nend function\nend program\n')


def printed(work, name, text, command):
    """Lines that the program prints."""
    with open(os.path.join(work, name), 'w', encoding='utf-8') as file:
        file.write(text)
    subprocess.run(command + [name, '-o', name + '.out'], cwd=work, check=True)
    done = subprocess.run([os.path.join(work, name + '.out')], check=True, text=True,
                          stdout=subprocess.PIPE)
    return done.stdout.split('\n')


def differences(root, gfortran):
    module = read(root)
    ours, theirs = fortran_calls(module), c_calls(root)
    complaints = [f'{name} is {ours[name]} here, {theirs.get(name)} in xcluster.h'
                  for name in ours if ours[name] != theirs.get(name)]
    with tempfile.TemporaryDirectory(prefix='xcdocs.', dir='/tmp') as work:
        c = printed(work, 'layout.c', c_program(module),
                    [os.environ.get('XC_TEST_CC', 'cc'), '-I' + root + '/include'])
        f = printed(work, 'layout.f90', fortran_program(module),
                    [gfortran, *code.fortran_modules(root + '/include'),
                     '-L' + os.environ['XC_TEST_LIBDIR'], '-lxcluster', *code.SANITIZE])
    complaints += [f'{b} here, {a} in xcluster.h' for a, b in zip(c, f) if a != b]
    return complaints, len(ours) + len(c)


def main(root):
    gfortran = shutil.which('gfortran')
    if not gfortran:
        print('there is no gfortran')
        return 77
    complaints, checks = differences(root, gfortran)
    for complaint in complaints:
        print('Fortran: ' + complaint)
    print(f'{0 if complaints else 100}%: Checks: {checks}, Failures: {len(complaints)}, Errors: 0')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
