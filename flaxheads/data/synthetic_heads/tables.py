"""Ranges, colours and hairstyles that people are sampled from."""

# Name: (lowest, highest) of factors sampled uniformly and independently.
RANGES = {
  'head_width': (0.94, 1.06),
  'head_height': (0.96, 1.05),
  'face_length': (0.94, 1.06),
  'face_width': (0.94, 1.06),
  'jaw_width': (0.84, 1.10),
  'chin_width': (0.7, 1.35),
  'chin_forward': (-0.5, 0.4),
  'cheekbone': (-0.3, 0.35),
  'brow_ridge': (-0.35, 0.3),
  'eye_size': (0.93, 1.1),
  'eye_open': (0.8, 1.15),
  'eye_spacing': (-0.14, 0.18),
  'eye_tilt': (-0.12, 0.28),
  'lid_fold': (0.0, 1.0),
  'nose_length': (-0.35, 0.4),
  'nose_width': (0.84, 1.25),
  'nose_forward': (-0.5, 0.45),
  'nose_bump': (-0.2, 0.3),
  'nose_turn': (-0.25, 0.3),
  'mouth_width': (0.9, 1.12),
  'mouth_drop': (-0.2, 0.25),
  'upper_lip': (0.7, 1.45),
  'lower_lip': (0.75, 1.4),
  'neck_width': (0.9, 1.02),
  'ear_size': (0.85, 1.12),
  'ear_angle': (0.2, 0.6),
  'brow_height': (-0.2, 0.3),
  'brow_thickness': (0.22, 0.5),
  'brow_arch': (0.1, 0.6),
  'brow_density': (0.55, 1.0),
  'skin_redness': (0.2, 1.0),
  'hair_part': (-3.5, 3.5),
  'glasses_size': (0.9, 1.12),
}

# How factors lean, at most, with a masculine build (and against it, with a
# feminine one).
BUILD = {
  'jaw_width': 0.06,
  'chin_width': 0.2,
  'brow_ridge': 0.22,
  'brow_thickness': 0.09,
  'brow_height': -0.12,
  'eye_size': -0.03,
  'nose_width': 0.06,
  'nose_length': 0.12,
  'upper_lip': -0.14,
  'lower_lip': -0.1,
  'neck_width': 0.06,
  'head_height': 0.01,
  'face_length': 0.02,
}

# Melanin from light to dark, linear RGB.
SKIN = (
  (0.78, 0.50, 0.38),
  (0.64, 0.39, 0.275),
  (0.47, 0.275, 0.18),
  (0.30, 0.163, 0.102),
  (0.165, 0.086, 0.054),
  (0.088, 0.047, 0.032),
)
HAIR = (
  (0.010, 0.008, 0.008),
  (0.018, 0.011, 0.008),
  (0.045, 0.022, 0.012),
  (0.10, 0.046, 0.020),
  (0.23, 0.125, 0.052),
  (0.46, 0.30, 0.14),
  (0.24, 0.060, 0.016),
  (0.36, 0.35, 0.34),
  (0.72, 0.71, 0.69),
)
HAIR_ODDS = (0.2, 0.2, 0.18, 0.13, 0.08, 0.07, 0.05, 0.06, 0.03)
IRIS = (
  (0.055, 0.024, 0.010),
  (0.110, 0.050, 0.018),
  (0.170, 0.100, 0.035),
  (0.110, 0.145, 0.055),
  (0.085, 0.180, 0.310),
  (0.190, 0.240, 0.280),
)
# Rows of hairstyles: cover, top, side, hairline, slope, temple, length, curl,
# bun, odds, odds with a feminine build.
STYLES = (
  (0.0, 0.0, 0.0, 8.0, 0.70, 1.0, 0.0, 0.0, 0.0, 0.10, 0.01),  # bald
  (1.0, 0.12, 0.10, 6.9, 0.72, 0.5, 0.0, 0.6, 0.0, 0.13, 0.02),  # buzz cut
  (1.0, 1.1, 0.5, 6.8, 0.74, 0.5, 0.0, 0.1, 0.0, 0.26, 0.07),  # short
  (1.0, 1.9, 0.5, 6.9, 0.76, 0.8, 0.0, 0.3, 0.0, 0.18, 0.06),  # short, full top
  (1.0, 0.7, 0.5, 8.0, 0.86, 1.6, 0.0, 0.1, 0.0, 0.13, 0.0),  # receding
  (1.0, 1.3, 1.0, 3.5, 0.40, 0.0, 0.0, 0.1, 0.0, 0.05, 0.07),  # fringe, short
  (1.0, 1.3, 1.1, 3.5, 0.40, 0.0, 8.5, 0.1, 0.0, 0.0, 0.17),  # fringe, bob
  (1.0, 1.1, 1.0, 6.6, 0.68, 0.2, 16.0, 0.1, 0.0, 0.03, 0.24),  # long
  (1.0, 1.5, 1.4, 6.3, 0.64, 0.1, 15.0, 0.9, 0.0, 0.02, 0.17),  # long, curly
  (1.0, 3.0, 2.6, 6.6, 0.70, 0.2, 0.0, 1.0, 0.0, 0.08, 0.06),  # afro
  (1.0, 0.6, 0.4, 6.9, 0.76, 0.3, 0.0, 0.0, 1.0, 0.02, 0.13),  # bun
)
