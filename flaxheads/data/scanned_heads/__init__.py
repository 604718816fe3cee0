"""Talking heads of scanned and sculpted meshes with photographic textures.

A head is a Person (who), a Motion (how it moves), a Light and a Film (how it
is photographed). All are sampled from whole numbers with numpy; frames are
rasterised by OpenGL. The 68 points are vertices of the same mesh.
"""
