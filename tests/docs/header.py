"""What the public header declares, to compare documents with."""
import re


def stripped(text):
    """Without comments and directives."""
    text = re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)
    text = re.sub(r'\\\n', ' ', text)
    return re.sub(r'^\s*#.*$', '', text, flags=re.M)


def read(root):
    with open(root + '/include/xcluster.h', encoding='utf-8') as file:
        return file.read()


def squeezed(text):
    """Spaces only where they part words."""
    text = re.sub(r'\s+', ' ', text).strip()
    return re.sub(r' ?([*(),\[\]]) ?', r'\1', text)


def prototypes(root):
    """name -> (type, parameters) of every call."""
    calls = {}
    for declaration in re.findall(r'XC_API\s+([^;]*);', stripped(read(root))):
        declaration = re.sub(r'XC_PRINTF\([^)]*\)', '', declaration)
        found = re.match(r'(.*?)\b(xc_\w+)\s*\((.*)\)\s*$', declaration, re.S)
        calls[found[2]] = (squeezed(found[1]), squeezed(found[3]))
    return calls


def names(compiler):
    """Every word of the header that begins as its names do."""
    with open(compiler.include + '/xcluster.h', encoding='utf-8') as file:
        return set(re.findall(r'\b(?:xc|XC)_\w+', file.read()))


def comparison(block):
    """A unit that compiles only if the declarations of the block are those of the
    header: structs have the same members at the same places, calls the same type."""
    text = block.text
    unit = '#include <stddef.h>\n#include <xcluster.h>\n'
    structs = re.findall(r'^struct (\w+) \{(.*?)^\};', text, re.M | re.S)
    shown = text
    for name, _ in structs:
        shown = re.sub(rf'^struct {name} \{{', f'struct shown_{name} {{', shown, flags=re.M)
    unit += f'#line {block.line} "{block.path}"\n{shown}\n'
    for name, members in structs:
        unit += (f'_Static_assert(sizeof(struct shown_{name}) == sizeof(struct {name}),\n'
                 f'"struct {name} is not as in xcluster.h");\n')
        for member in re.findall(r'\b(\w+)(?:\[\w+\])*\s*(?=[;,])', stripped(members)):
            unit += (f'_Static_assert(offsetof(struct shown_{name}, {member}) ==\n'
                     f'offsetof(struct {name}, {member}), "{member} of struct {name}");\n')
    return unit
