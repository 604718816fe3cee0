"""The sample heads of the page: nobody has to be asked for them."""

from flaxheads.provenance import rights
from flaxheads.web import samples as sampling
from flaxheads.web.looks import look_at
from flaxheads.web.samples import draw_samples


def test_samples_show_a_face_and_need_no_rights(tmp_path, monkeypatch):
  monkeypatch.setattr(sampling, '_SIZE', 64)  # of which programs are there
  told = []
  samples = draw_samples(tmp_path, told.append, num_pictures=1, num_frames=2)
  assert len(told) == 2
  again = draw_samples(tmp_path, told.append, num_pictures=1, num_frames=2)
  assert again is samples and len(told) == 2
  for path in (*samples.pictures, samples.driver):
    assert not rights.are_needed(path)
  for look in look_at([*samples.pictures, samples.driver], 64):
    assert look.support is not None, look.sentence
    assert look.picture.shape == (256, 256, 3)
