#version 330
uniform mat4 view;
in vec3 position;
in vec2 uv;
out vec2 v_uv;
void main() { v_uv = uv; gl_Position = view * vec4(position, 1.0); }
