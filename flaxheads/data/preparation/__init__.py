"""Makes records of videos.

job       one video to prepare, and how
scan      decodes a file once and detects faces in some of its frames
shots     finds cuts, and follows one face through a shot
quality   decides which frames are good enough, and says why not
process   turns a job into a record and an outcome
guard     runs that in a process of its own, with limits
shards    keeps finished work on disk, so that an interrupted call resumes
builder   the Apache Beam pipeline inside a tfds builder
report    counts, reasons and contact sheets
"""
