"""The sample heads of the page: nobody has to be asked for them."""

from flaxheads.provenance import rights
from flaxheads.web.found_faces import find_faces
from flaxheads.web.sample_heads import render_samples


def test_samples_show_a_face_and_need_no_rights(tmp_path):
  told = []
  samples = render_samples(tmp_path, told.append, num_pictures=1, num_frames=2)
  assert len(told) == 2
  again = render_samples(tmp_path, told.append, num_pictures=1, num_frames=2)
  assert again is samples and len(told) == 2
  for path in (*samples.pictures, samples.driver):
    assert not rights.are_needed(path)
  for file in find_faces([*samples.pictures, samples.driver], 64):
    assert file.support is not None, file.sentence
    assert file.picture.shape == (256, 256, 3)
