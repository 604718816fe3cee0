#version 330
uniform mat4 view;
uniform mat4 lamp_view;
uniform float fur_length;
uniform int num_shells;
in vec3 position;
in vec3 normal;
in vec3 irradiance;
in vec2 uv;
in vec3 place;
in vec2 fur;
out vec3 v_position;
out vec3 v_normal;
out vec3 v_irradiance;
out vec3 v_place;
out vec3 v_lamp;
out vec2 v_uv;
out vec2 v_fur;
out float v_shell;
void main() {
  v_shell = num_shells > 0 ? (float(gl_InstanceID) + 1.0) / num_shells : 0.0;
  // Fur hangs down a little as it grows.
  vec3 grow = normalize(normal + vec3(0.0, -0.5 * v_shell, 0.0));
  vec3 p = position + grow * v_shell * fur_length;
  v_position = p;
  v_normal = normal;
  v_irradiance = irradiance;
  v_place = place;
  v_uv = uv;
  v_fur = fur;
  vec4 lamp = lamp_view * vec4(p, 1.0);
  v_lamp = lamp.xyz * 0.5 + 0.5;
  gl_Position = view * vec4(p, 1.0);
}
