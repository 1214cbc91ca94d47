"""C source as tokens: finds code in it whatever its comments, spaces and line breaks."""
import re

STRING = r'"(?:\\.|[^"\\\n])*"|' r"'(?:\\.|[^'\\\n])*'"
COMMENT = re.compile(STRING + r"|/\*.*?\*/|//[^\n]*", re.S)
TOKEN = re.compile(STRING + r"|\w+|[^\s\w]")


def blanked(text):
    """The text with blanks in place of its comments; each character stays where it was."""
    return COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found.group())
                       if found.group().startswith("/") else found.group(), text)


def definitions(text, name):
    """(start, end) of each function or macro of that name that the text defines."""
    name = re.escape(name)
    pattern = re.compile(rf"^[A-Za-z_][^;{{}}#]*?\b{name}\([^;{{}}]*\)\s*\{{.*?^\}}|"
                         rf"^#define {name}\b(?:\\\n|[^\n])*", re.M | re.S)
    return [found.span() for found in pattern.finditer(blanked(text))]


def places(text, start, end, code):
    """(start, end) of each place between the two where the code stands."""
    tokens = list(TOKEN.finditer(blanked(text), start, end))
    names, wanted = [t.group() for t in tokens], TOKEN.findall(blanked(code))
    return [(tokens[i].start(), tokens[i + len(wanted) - 1].end())
            for i in range(len(names) - len(wanted) + 1) if names[i:i + len(wanted)] == wanted]
