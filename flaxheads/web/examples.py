"""Example portraits and drivers: heads that this code has rendered.

They show no real person, so they need no consent. They are single frames at 256
pixels of identities 3, 2 and 0, and 60 frames at 128 pixels of identities 11
and 10, of `synthetic_heads.make_clip` with seed 127.
"""

import shutil
from pathlib import Path

from flaxheads.errors import UserError
from flaxheads.landmarks import face_finder
from flaxheads.web.session import Session

FOLDER = Path(__file__).with_name('static') / 'examples'
PORTRAITS = ('ada.jpg', 'ben.jpg', 'cleo.jpg')
DRIVERS = ('talk.mp4', 'turn.mp4')


def give(session: Session, name: str) -> None:
  """Gives an example to a visitor: a portrait in place of all pictures.

  Raises:
    UserError: there is no such example.
  """
  if name not in PORTRAITS + DRIVERS:
    raise UserError(f'{name}: not an example; there are {PORTRAITS + DRIVERS}')
  path = session.new_path(name)
  shutil.copyfile(FOLDER / name, path)
  if name in DRIVERS:
    session.set_driver(path, is_example=True)
    return
  with session.changed:
    for file in list(session.pictures):
      session.remove(file.id)
    session.add_picture(path, is_example=True)


def warm_up(session: Session) -> None:
  """Compiles what visitors need, up to the first frame of an example.

  Args:
    session: of no visitor; it is closed.
  """
  face_finder.warm_up('mesh')  # for drivers, and so for portraits, too
  give(session, PORTRAITS[0])
  give(session, DRIVERS[0])
  with session.changed:
    session.changed.wait_for(lambda: session.preview[0] or not session.busy)
  session.close()
