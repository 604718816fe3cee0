#version 330
uniform sampler2D picture;
uniform sampler3D grain;
uniform vec3 mean;  // of the texture's face, linear
uniform vec3 tone;  // the person's, linear
uniform vec3 lip;
uniform vec3 hair;
uniform vec3 marks;  // freckles, stubble, cropped hair
uniform float seed;
in vec2 v_uv;
in vec3 v_place;
in vec2 v_fur;
out vec4 colour;
void main() {
  vec4 texel = texture(picture, v_uv);
  vec3 p = v_place, albedo = pow(texel.rgb, vec3(2.2));
  vec2 mouth = vec2(p.x / 3.0, (p.y + 6.75) / 1.35);
  float lips = smoothstep(1.25, 0.8, length(mouth));
  float red = albedo.r / max(albedo.g, 0.001) / (mean.r / mean.g);
  lips *= smoothstep(1.05, 1.5, red);
  // Deviations from the texture's own mean, a little calmer, on the tone.
  albedo = tone * pow(albedo / mean, vec3(0.85)) * mix(vec3(1.0), lip, lips);
  vec2 soft = texture(grain, p * 0.03 + seed).rg;
  albedo *= 1.0 + 0.25 * (soft.r - 0.5);
  albedo *= mix(vec3(1.0), vec3(1.06, 0.96, 0.95), soft.g);
  float speck = smoothstep(0.60, 0.75, texture(grain, p * 0.42 + seed).r);
  speck *= smoothstep(-8.0, -3.0, p.y) * smoothstep(5.0, 2.0, p.y);
  albedo *= mix(vec3(1.0), vec3(0.72, 0.58, 0.48), speck * marks.x * 0.8);
  float grown = 0.5 + texture(grain, p * 0.55).g;
  vec3 root = vec3(0.10, 0.10, 0.105) * min(tone.r * 2.5, 1.0);
  vec3 shade = mix(hair, root, 0.45);
  float stubble = clamp(v_fur.x * marks.y * grown, 0.0, 0.85);
  albedo = mix(albedo, shade, stubble * 0.7);
  float scalp = smoothstep(0.25, 1.0, v_fur.y) * marks.z * 0.85;
  albedo = mix(albedo, 0.7 * hair + 0.05 * albedo, scalp);
  colour = vec4(pow(max(albedo, vec3(0.0)), vec3(1.0 / 2.2)), texel.a);
}
