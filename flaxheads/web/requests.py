"""The requests of the page's script to a session."""

import base64
import inspect
import json
import shutil

import cv2
import numpy as np

from flaxheads.errors import UserError
from flaxheads.provenance import examine, identity
from flaxheads.web import examples, faces
from flaxheads.web.session import Session

_MAX_FRAME_SIDE = 1024  # pixels, of the camera


def change(session: Session, body: bytes) -> dict:
  """Carries out {"do": ACTION, ...}.

  Raises:
    UserError: there is no such action, or it is impossible.
  """
  try:
    values = json.loads(body)
    action = values.pop('do')
    actions = {
      'may': lambda may: session.set_may(may),
      'options': session.set_options,
      'remove': lambda id: session.remove(str(id)),
      'face': lambda id, face: session.choose_face(str(id), int(face)),
      'no_driver': lambda: session.set_driver(None),
      'example': lambda name: examples.give(session, str(name)),
      'cancel': session.cancel,
      'again': session.again,
      'forget': session.forget,
    }
    call = inspect.signature(actions[action]).bind(**values)
  except (ValueError, KeyError, AttributeError, TypeError):
    raise UserError('the page does not know this request') from None
  actions[action](*call.args, **call.kwargs)
  return {}


def _take_picture(session, file):
  session.add_picture(file)
  return {}


def _take_driver(session, file):
  session.set_driver(file)
  return {}


def _verify(session, file):
  del session
  try:
    finding = examine.examine(file, identity.trusted_roots())
  except UserError as error:
    raise faces.with_name(error, file) from None
  finally:
    shutil.rmtree(file.parent, ignore_errors=True)
  return {'said': finding.in_words().replace(str(file), file.name)}


# What becomes of an uploaded file: functions of the session and the path, which
# return the answer, and raise UserError as the session does.
UPLOADS = {
  '/picture': _take_picture,
  '/driver': _take_driver,
  '/verify': _verify,
}


def live(session: Session, frame: bytes) -> dict:
  """The person as a frame of the camera, a JPEG, moves them.

  Raises:
    UserError: no image, no person, or no right to animate them.
  """
  encoded = np.frombuffer(frame, np.uint8)
  image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
  if image is None or max(image.shape) > _MAX_FRAME_SIDE:
    raise UserError('the camera gives no image that can be read')
  view = session.live(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
  picture = ''
  if view.image is not None:
    picture = base64.b64encode(faces.jpeg(view.image)).decode()
  return {'picture': picture, 'said': view.sentence, 'ok': view.ok}


def read(session: Session, path: str, query: dict) -> tuple[bytes, str]:
  """A file of the visitor, and its suffix.

  Args:
    session: of the visitor.
    path: /mine/picture with an id, /mine/driver, /mine/preview, /mine/result.
    query: of the address.

  Raises:
    UserError: there is none.
  """
  what = path.removeprefix('/mine/')
  with session.changed:
    if what == 'picture':
      for file in session.pictures:
        if file.id == query.get('id') and file.thumbnail:
          return file.thumbnail, '.jpg'
    elif what == 'preview' and session.preview[1]:
      return session.preview[1], '.jpg'
    elif what == 'driver' and session.driver:
      return session.driver.path.read_bytes(), session.driver.path.suffix
    elif what == 'result' and session.result:
      return session.result.read_bytes(), '.mp4'
  raise UserError(f'{what}: there is none')
