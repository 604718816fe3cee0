"""Which videos of a folder are prepared, and whose they are."""

import pytest

from flaxheads.data import video_folder
from flaxheads.errors import UserError
from tests.data.prepared import touch


@pytest.fixture
def videos(tmp_path):
  return touch(
    tmp_path / 'videos',
    'anna/day1/a.mp4',
    'anna/day2/a.MOV',
    'ben/b.mp4',
    'carl.mp4',
    'dora 1.mp4',
    'notes.txt',
    '.hidden.mp4',
  )


def _options(source, **kwargs):
  return video_folder.VideoFolderOptions(**{'source': str(source), **kwargs})


def test_jobs_name_identities_by_the_top_folder(videos):
  jobs = video_folder.list_jobs(_options(videos, test_identities=('ben',)))
  by_id = {job.video_id: job for job in jobs}
  assert list(by_id) == sorted(by_id)
  assert len(by_id) == 5  # neither notes.txt nor the hidden one
  assert by_id['anna/day1/a.mp4'].identity_id == 'anna'
  assert by_id['anna/day2/a.MOV'].identity_id == 'anna'
  assert by_id['carl.mp4'].identity_id == 'carl'
  assert {job.video_id for job in jobs if job.split == 'test'} == {'ben/b.mp4'}


def test_exclude_and_only_choose_by_name_or_path(videos):
  def ids(**kwargs):
    jobs = video_folder.list_jobs(_options(videos, **kwargs))
    return [job.video_id for job in jobs]

  assert ids(only=('carl', 'b')) == ['ben/b.mp4', 'carl.mp4']
  assert ids(only=('a',), exclude=('anna/day1/a',)) == ['anna/day2/a.MOV']
  assert len(ids(exclude=('carl.mp4',))) == 4


@pytest.mark.parametrize(
  'kwargs, message',
  [
    ({'exclude': ('karl',)}, "--exclude: .*'karl'"),
    ({'only': ('karl',)}, "--only: .*'karl'"),
    ({'test_identities': ('b',)}, "--test_identities: .*'b'"),
    ({'only': ('carl',), 'exclude': ('carl',)}, 'no video is left'),
    ({'source': '/nowhere'}, "--source: '/nowhere' is not a folder"),
    ({'source': ''}, "--source: '' is not a folder"),
  ],
)
def test_wrong_names_are_refused(videos, kwargs, message):
  with pytest.raises(UserError, match=message):
    video_folder.list_jobs(_options(**{'source': videos, **kwargs}))


def test_a_folder_without_videos_is_refused(tmp_path):
  with pytest.raises(UserError, match='no videos below'):
    video_folder.list_jobs(_options(tmp_path))


def _table(tmp_path, *lines):
  path = tmp_path / 'who.csv'
  path.write_text('\n'.join(lines) + '\n')
  return str(path)


def test_a_csv_file_names_identities(videos, tmp_path):
  table = _table(
    tmp_path,
    'video,identity,remark',
    'anna/day1/a.mp4,anna,',
    'anna/day2/a,maria,another a',
    'b,ben,',
    'carl.mp4,ben,',
    'dora 1,dora,',
  )
  options = _options(videos, identities=table, test_identities=('ben',))
  jobs = {job.video_id: job for job in video_folder.list_jobs(options)}
  assert [job.identity_id for job in jobs.values()] == [
    'anna',
    'maria',
    'ben',
    'ben',
    'dora',
  ]
  assert [job.split for job in jobs.values()].count('test') == 2


@pytest.mark.parametrize(
  'lines, message',
  [
    (['file,who', 'b,ben'], 'no such columns; .*video,identity'),
    (['video,identity', 'b,ben'], 'gives anna/day1/a.mp4 no identity'),
    (['video,identity', 'b,ben', 'b,karl'], "line 3: 'b' needs one"),
    (['video,identity', 'b,'], "line 2: 'b' needs one"),
    (['video,identity', '\x00,x'], 'needs one|no identity|cannot be read'),
  ],
)
def test_a_wrong_csv_file_is_refused(videos, tmp_path, lines, message):
  options = _options(videos, identities=_table(tmp_path, *lines))
  with pytest.raises(UserError, match=f'--identities: .*{message}'):
    video_folder.list_jobs(options)


def test_a_csv_file_that_names_strangers_is_refused(videos, tmp_path):
  names = ('anna/day1/a', 'anna/day2/a', 'b', 'carl', 'dora 1', 'emil')
  lines = ['video,identity', *(f'{name},x' for name in names)]
  with pytest.raises(UserError, match="--identities: .*'emil'"):
    video_folder.list_jobs(
      _options(videos, identities=_table(tmp_path, *lines))
    )
  with pytest.raises(UserError, match='cannot be read'):
    video_folder.list_jobs(_options(videos, identities='/nowhere.csv'))


def test_a_video_under_two_names_is_used_once(videos, caplog):
  for name in ('ben/b.mp4', 'zoe/copy.mp4'):
    (videos / name).parent.mkdir(exist_ok=True)
    (videos / name).write_bytes(b'the same video')
  (videos / 'carl.mp4').write_bytes(b'the same size!')
  jobs = video_folder.list_jobs(_options(videos))
  assert 'zoe/copy.mp4' not in {job.video_id for job in jobs}
  assert {'ben', 'carl'} <= {job.identity_id for job in jobs}
  assert 'copy.mp4: omitted, because it is a copy of' in caplog.text
  # Or the person would be in both splits.
  with pytest.raises(UserError, match='the same video, of ben and zoe'):
    video_folder.list_jobs(_options(videos, test_identities=('zoe',)))
  both = video_folder.list_jobs(
    _options(videos, test_identities=('zoe', 'ben'))
  )
  assert [job.video_id for job in both if job.split == 'test'] == ['ben/b.mp4']


def test_videos_with_odd_names_are_found(videos):
  (videos / 'noext').write_bytes(b'\0\0\0\x18ftypmp42\0\0\0\0')
  jobs = video_folder.list_jobs(_options(videos))
  assert 'noext' in {job.video_id for job in jobs}
