"""Videos to records: found, judged, cropped, compressed, and reported.

job       one video to prepare, and how
scan      decodes a file once and looks at a part of its frames
shots     cuts, and one face followed through a shot
quality   which frames are good enough, and why not
process   a job to a record and an outcome
guard     runs that in a process of its own, with limits
shards    finished work on disk, so that nothing is done twice
builder   the Apache Beam pipeline inside a tfds builder
report    counts, reasons and a page of pictures
"""
