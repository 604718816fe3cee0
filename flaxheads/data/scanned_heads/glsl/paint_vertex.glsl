#version 330
uniform vec2 nudge;
in vec2 uv;
in vec3 place;
in vec2 fur;
out vec2 v_uv;
out vec3 v_place;
out vec2 v_fur;
void main() {
  v_uv = uv;
  v_place = place;
  v_fur = fur;
  gl_Position = vec4(uv * 2.0 - 1.0 + nudge, 0.0, 1.0);
}
