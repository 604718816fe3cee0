"""Speech drives a face: from sound to the motion of mouth, jaw and head."""
