#version 330
uniform sampler2D picture;
in vec2 v_uv;
out vec4 colour;
void main() { colour = vec4(texture(picture, v_uv).rgb, 1.0); }
