"""Blocks of code in documents: fenced blocks and code within lines of Markdown,
displays of manual pages."""
import re
from dataclasses import dataclass

# What may stand behind the three quotes of a fence.
KINDS = {'c', 'c body', 'cpp', 'python', 'sh', 'sh run',
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


def read_inline(path, shown):
    """Code within lines, such as `xc_close(client)`, outside of fences. A bar in a
    table stands there as \\|."""
    spans, fenced = [], False
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        if line.startswith('```'):
            fenced = not fenced
        elif not fenced:
            spans += [Block(shown, number, 'inline', code.replace('\\|', '|'))
                      for code in re.findall(r'`([^`]+)`', line)]
    return spans


def plain(line):
    """A line of a manual page as it is shown."""
    line = re.sub(r'\\&', '', line)
    line = re.sub(r'\\-', '-', line)
    return line.replace('\\e', '\\').replace("\\(aq", "'")


def read_manual(path, shown):
    """The displays of a manual page: `c` when it is code, `sh` for a session with
    `$`, else `text`."""
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
    if re.search(r'^\$ ', text, re.M):
        return 'sh'
    return 'c' if re.search(r'[;}]\s*(/\*.*)?$', text, re.M) else 'text'
