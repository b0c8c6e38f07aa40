"""Blocks of code in documents: fenced blocks and code within lines of Markdown,
displays of manual pages."""
import os
import re
from dataclasses import dataclass

# What may stand behind the three quotes of a fence.
KINDS = {'c', 'c body', 'cpp', 'fortran', 'python', 'sh', 'sh run',
         'text', 'text numbers', 'text sorted', 'text shown'}


@dataclass
class Block:
    path: str   # of the document, as it is shown
    line: int   # of its first line of code
    kind: str
    text: str

    @property
    def place(self):
        return f'{self.path}:{self.line}'


def read_markdown(path, shown):
    """The fenced blocks of a document, in order."""
    blocks, start, kind = [], None, None
    lines = open(path, encoding='utf-8').read().split('\n')
    for number, line in enumerate(lines, 1):
        fence = re.match(r'```(.*)$', line)
        if fence and start is None:
            start, kind = number + 1, fence[1].strip()
        elif fence:
            text = ''.join(l + '\n' for l in lines[start - 1:number - 1])
            blocks.append(Block(shown, start, kind, text))
            start = None
    if start is not None:
        blocks.append(Block(shown, start, 'open', ''))
    return blocks


def prose(path):
    """(number, line) of the lines outside of fences."""
    fenced = False
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        if line.startswith('```'):
            fenced = not fenced
        elif not fenced:
            yield number, line


def read_inline(path, shown):
    """Code within lines, such as `xc_close(client)`. A bar in a table stands there as
    \\|."""
    return [Block(shown, number, 'inline', code.replace('\\|', '|'))
            for number, line in prose(path) for code in re.findall(r'`([^`]+)`', line)]


def read_unfenced(path, shown):
    """Commands that are only indented, where nothing looks at them."""
    return [Block(shown, number, 'indented', line.strip())
            for number, line in prose(path)
            if re.match(r' {4}(\$ )?(xcluster|XCLUSTER\w*=\S*|cc|\./\w+) ', line)]


def read_links(path, shown):
    """Links to what is not on the net."""
    return [Block(shown, number, 'link', target)
            for number, line in prose(path)
            for target in re.findall(r'\]\(([^):]+)\)', line)]


def complaint_of_link(path, target):
    file, _, anchor = target.partition('#')
    file = os.path.join(os.path.dirname(path), file) if file else path
    if not os.path.exists(file):
        return f'there is no {target}'
    if not anchor:
        return None
    anchors = {re.sub(r'[^\w -]', '', line.lstrip('# ').strip().lower()).replace(' ', '-')
               for _, line in prose(file) if line.startswith('#')}
    return None if anchor in anchors else f'there is no heading #{anchor}'


def plain(line):
    """A line of a manual page as it is shown."""
    line = re.sub(r'\\&', '', line)
    line = re.sub(r'\\-', '-', line)
    return line.replace('\\e', '\\').replace('\\(aq', "'").replace('\\(dq', '"')


def read_manual(path, shown):
    """The displays of a manual page."""
    blocks, start, text = [], None, ''
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        if line.startswith('.Bd -literal'):
            start, text = number + 1, ''
        elif line.startswith('.Ed') and start is not None:
            blocks.append(Block(shown, start, kind_of_display(text), text))
            start = None
        elif start is not None:
            text += plain(line)
    return blocks


def kind_of_display(text):
    """`c` for declarations or a unit, `c body` for statements that call, `sh` for a
    session with `$`, else `text`."""
    if re.search(r'^\$ ', text, re.M):
        return 'sh'
    if not re.search(r'[;}]\s*(/\*.*)?$', text, re.M):
        return 'text'
    calls = re.search(r'^(\w+ = )?xc_\w+\(', text, re.M)
    return 'c body' if calls and '#include' not in text else 'c'
