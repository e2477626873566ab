"""Files of any size, sent and received by one profile.

transfers   which are on their way, what is tried again when
sending     hash, announce, post, upload
receiving   fetch, check, write
wishes      accept, decline, cancel; what the others say of a file
rows        the table `files` and the events of it
folders     a folder as one file, and back
disk        room, names and the last rename
"""

from .disk import FileProblem
from .sending import Progress, check, left_out
from .transfers import Files

__all__ = ["FileProblem", "Files", "Progress", "check", "left_out"]
