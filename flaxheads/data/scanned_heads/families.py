"""The families of people: whose meshes a scanned head is made of.

Each is a module with `unit_names`, `sample` and `build`.
"""

from flaxheads.data.scanned_heads import ict_people, makehuman_people

FAMILIES = {'makehuman': makehuman_people, 'ict': ict_people}
