#version 330
uniform sampler2D picture;
uniform int cut;
in vec2 v_uv;
void main() { if (cut == 1 && texture(picture, v_uv).a < 0.4) discard; }
