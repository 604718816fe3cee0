#version 330
const int material = MATERIAL;
uniform sampler2D picture;
uniform sampler2D panorama;
uniform sampler2DShadow shadow_map;
uniform sampler3D grain;
uniform vec3 eye_point;
uniform int num_lamps;
uniform vec3 lamps[3];
uniform vec3 lamp_colours[3];
uniform float softness;
uniform float exposure;
uniform vec3 hair;
uniform vec3 iris;
uniform vec3 tooth;
uniform vec3 paint;
uniform vec3 cloth[3];
uniform vec4 cloth_style;
uniform vec4 ball;
uniform mat3 gaze;
uniform mat3 head;
uniform vec4 marks;  // freckles, shine, stubble, bump
uniform float brow_strength;
uniform float seed;
in vec3 v_position;
in vec3 v_normal;
in vec3 v_irradiance;
in vec3 v_place;
in vec3 v_lamp;
in vec2 v_uv;
in vec2 v_fur;
in float v_shell;
out vec4 colour;

const float PI = 3.14159265;
const float INCISORS = 14.0;  // their z in the average head, cm

vec3 linear(vec3 c) { return pow(c, vec3(2.2)); }

vec2 mouth_place(vec3 p) { return vec2(p.x / 3.0, (p.y + 6.75) / 1.35); }

vec3 around(vec3 way, float blur) {
  float turn = atan(way.x, way.z) / (2.0 * PI) + 0.5;
  float polar = acos(clamp(way.y, -1.0, 1.0)) / PI;
  return textureLod(panorama, vec2(turn, polar), blur).rgb;
}

float lit() {
  const vec2 ring[7] = vec2[](
    vec2(0.0), vec2(0.7, 0.1), vec2(0.25, 0.7), vec2(-0.5, 0.55),
    vec2(-0.7, -0.2), vec2(-0.1, -0.75), vec2(0.55, -0.55));
  float sum = 0.0;
  for (int i = 0; i < 7; i++) {
    vec3 at = vec3(v_lamp.xy + ring[i] * softness, v_lamp.z - 0.006);
    sum += texture(shadow_map, at);
  }
  return sum / 7.0;
}

// Schlick's Fresnel and GGX with the visibility of Karis.
vec3 gloss(vec3 n, vec3 v, float rough, float f0, float shadow) {
  float nv = max(dot(n, v), 0.02), a = rough * rough;
  float k = a * 0.5, a2 = a * a;
  vec3 sum = vec3(0.0);
  for (int i = 0; i < num_lamps; i++) {
    vec3 h = normalize(lamps[i] + v);
    float nl = max(dot(n, lamps[i]), 0.0), nh = max(dot(n, h), 0.0);
    float d = nh * nh * (a2 - 1.0) + 1.0;
    float f = f0 + (1.0 - f0) * pow(1.0 - max(dot(v, h), 0.0), 5.0);
    float vis = 0.25 / ((nv * (1.0 - k) + k) * (nl * (1.0 - k) + k));
    float open = i == 0 ? shadow : 1.0;
    sum += lamp_colours[i] * open * nl * vis * f * a2 / (PI * d * d);
  }
  float f = f0 + (1.0 - f0) * pow(1.0 - nv, 5.0) * (1.0 - rough) * 0.5;
  return sum + f * around(reflect(-v, n), 5.0 * rough);
}

// Light scattered under the surface reaches past the terminator, red furthest.
vec3 diffuse(vec3 n, vec3 reach, float shadow) {
  vec3 sum = v_irradiance;
  for (int i = 0; i < num_lamps; i++) {
    vec3 d = clamp((dot(n, lamps[i]) + reach) / (1.0 + reach), 0.0, 1.0);
    vec3 open = i == 0 ? pow(vec3(shadow), 1.0 - reach) : vec3(1.0);
    sum += lamp_colours[i] * d * open / PI;
  }
  return sum;
}

vec3 bumped(vec3 n, float height, float strength) {
  vec3 dx = dFdx(v_position), dy = dFdy(v_position);
  vec3 r1 = cross(dy, n), r2 = cross(n, dx);
  float det = dot(dx, r1);
  vec3 slope = sign(det) * (dFdx(height) * r1 + dFdy(height) * r2);
  return normalize(abs(det) * n - strength * slope);
}

vec3 skin(vec3 n, vec3 v, float shadow) {
  vec4 texel = texture(picture, v_uv);
  vec3 albedo = linear(texel.rgb);
  n = bumped(n, texel.a, marks.w);
  vec3 light = diffuse(n, vec3(0.32, 0.16, 0.09), shadow);
  float open = clamp(dot(v_irradiance, vec3(0.4)), 0.0, 1.0);
  float lips = smoothstep(1.25, 0.8, length(mouth_place(v_place)));
  float rough = mix(0.52, 0.40, smoothstep(6.0, 1.0, abs(v_place.x)));
  rough = mix(rough, 0.33, lips);
  vec3 shine = gloss(n, v, rough, 0.026, shadow) * marks.y;
  float stubble = clamp(v_fur.x * marks.z, 0.0, 0.85);
  return albedo * light + shine * open * (0.9 - 0.8 * stubble);
}

vec3 eye(vec3 n, vec3 v, float shadow) {
  vec3 d = normalize(v_place - ball.xyz);
  vec3 look = transpose(gaze) * d;
  float polar = acos(clamp(look.z, -1.0, 1.0));
  vec2 way = length(look.xy) > 1e-4 ? normalize(look.xy) : vec2(0.0);
  const float RIM = 0.43;  // radians, the iris' edge
  vec2 uv = vec2(0.705, 0.705) + 0.118 * polar / RIM * way;
  vec3 albedo = linear(texture(picture, vec2(uv.x, uv.y)).rgb);
  float inside = smoothstep(RIM + 0.03, RIM - 0.03, polar);
  albedo = mix(albedo * vec3(0.80, 0.78, 0.76), albedo * iris, inside);
  albedo *= 1.0 - 0.6 * smoothstep(0.08, 0.0, abs(polar - RIM));
  albedo *= smoothstep(0.10, 0.16, polar) * 0.97 + 0.03;
  // The white reddens and darkens towards the corners.
  float side = smoothstep(0.45, 1.1, abs(d.x));
  albedo *= mix(vec3(1.0), vec3(0.8, 0.6, 0.55), side);
  vec3 light = diffuse(n, vec3(0.22, 0.2, 0.19), shadow);
  light *= mix(1.0, 0.45, smoothstep(0.05, 0.42, d.y));
  // The cornea stands out: its highlight is small and moves with the gaze.
  vec3 axis = head * gaze * vec3(0.0, 0.0, 1.0);
  vec3 cornea = normalize(mix(n, normalize(n * 1.7 - axis * 0.7), inside));
  vec3 shine = gloss(cornea, v, 0.12, 0.03, shadow);
  float lid = mix(1.0, 0.35, smoothstep(0.2, 0.5, d.y));
  return albedo * light + min(shine, vec3(6.0)) * lid;
}

vec3 fabric(vec3 n, vec3 v, float shadow) {
  vec3 p = v_place;
  float style = cloth_style.x, line = -17.5 - cloth_style.y, x = abs(p.x);
  float back = smoothstep(6.0, 2.0, p.z) * 2.2;
  float edge;
  vec3 base = cloth[0];
  if (style < 0.5) edge = line + 0.02 * x * x + back - p.y;
  else if (style < 1.5) edge = line - 5.5 + 0.95 * x + back - p.y;
  else if (style < 2.5) edge = line - 1.5 + 0.8 * x + back - p.y;
  else if (style < 3.5) edge = -12.7 + 0.12 * x - p.y;
  else edge = line + 1.0 + 0.02 * x * x + back - p.y;
  if (edge < 0.0) discard;
  vec3 albedo = base;
  float scale = cloth_style.z;
  if (cloth_style.y >= 0.0 && fract(seed * 7.3) < 0.25)
    albedo = mix(base, cloth[1], step(0.5, fract(p.y * 0.35 * scale)));
  else if (fract(seed * 7.3) < 0.4)
    albedo = mix(base, cloth[1], 0.5 * step(0.5, fract(p.y * 0.3 * scale))
      + 0.5 * step(0.5, fract(p.x * 0.3 * scale)));
  if (style > 3.5) {
    float open = line - 8.0 + 1.35 * x - p.y;
    if (open > 0.0) albedo = cloth[2] * 0.5;
    albedo *= smoothstep(0.0, 0.35, abs(open)) * 0.5 + 0.5;
  }
  float seam = smoothstep(0.55, 0.75, abs(edge - 0.1));
  if (style < 3.5) albedo *= 0.72 + 0.28 * seam;
  if (style > 1.5 && style < 2.5 && x < 0.35) albedo *= 0.8;
  float fold = texture(grain, vec3(p.x, 0.45 * p.y, 0.8 * p.z) * 0.015).r;
  n = bumped(n, fold, 1.6);
  albedo *= 0.9 + 0.2 * texture(grain, p * 0.6).g;
  return albedo * diffuse(n, vec3(0.08), shadow);
}

vec3 strands(vec3 albedo, vec3 n, vec3 v, float shadow, float strength) {
  vec3 light = diffuse(n, vec3(0.3), 0.2 + 0.8 * shadow);
  vec3 shine = gloss(n, v, 0.45, 0.045, shadow);
  return albedo * light + shine * strength * (0.12 + albedo * 2.0);
}

void main() {
  vec3 v = normalize(eye_point - v_position);
  vec3 n = normalize(v_normal);
  if (material > 2 && material < 10 && dot(n, v) < 0.0) n = -n;
  vec3 made;
  float alpha = 1.0, hairs = 0.0;
  vec4 texel = texture(picture, v_uv);
  if (material >= 10) {
    float mask = material == 10 ? v_fur.x : v_fur.y;
    vec3 cell = v_place + vec3(0.0, 0.7 * v_shell, 0.0);
    vec2 grown = texture(grain, cell * 0.30).rg;
    hairs = 0.5 * grown.r + 0.5 * grown.g;
    float edge = 0.30 + 0.33 * v_shell;
    alpha = smoothstep(edge - 0.06, edge + 0.12, hairs + 0.6 * (mask - 0.8));
    alpha *= smoothstep(0.02, 0.3, mask);
  } else if (material == 4 || material == 5 || material == 9) {
    alpha = texel.a;
  }
  // No discard here: llvmpipe 22.3 hangs in a loop that follows one. A fragment
  // without alpha covers no sample.
  float shadow = 1.0;
  if (alpha > 0.05) shadow = lit();
  if (material == 0) made = skin(n, v, shadow);
  else if (material == 1) made = eye(n, v, shadow);
  else if (material == 2 || material == 3) {
    vec3 albedo = linear(texel.rgb);
    float enamel = smoothstep(1.9, 1.3, albedo.r / max(albedo.g, 0.001));
    if (material == 2) albedo *= mix(vec3(0.8), tooth * 2.2, enamel);
    else albedo *= 0.5;
    // Enamel is translucent: the lip's shadow on it is light.
    float soft = material == 2 ? mix(1.0, shadow, 0.4) : shadow;
    // Light falls off towards the throat.
    float deep = 0.1 + 0.9 * exp(min(v_place.z - INCISORS, 0.0) / 1.5);
    vec3 light = deep * diffuse(n, vec3(0.3), soft);
    float open = clamp(dot(v_irradiance, vec3(0.8)), 0.0, 1.0);
    made = albedo * light + gloss(n, v, 0.25, 0.035, shadow) * open * deep * 0.6;
  } else if (material == 4 || material == 5) {
    alpha *= material == 4 ? brow_strength : 0.9;
    vec3 albedo = vec3(0.01);
    if (material == 4) albedo = mix(hair * 0.7, vec3(0.015), 0.3);
    made = strands(albedo, n, v, shadow, 0.15);
  } else if (material == 6) made = fabric(n, v, shadow);
  else if (material == 7) made = paint * diffuse(n, vec3(0.0), shadow)
      + gloss(n, v, 0.25, 0.05, shadow);
  else if (material == 8) {
    made = gloss(n, v, 0.08, 0.04, 1.0);
    alpha = 0.06;
    colour = vec4(pow(1.0 - exp(-made * exposure), vec3(1.0 / 2.2)), alpha);
    return;
  } else if (material == 9) {
    float grey = dot(texel.rgb, vec3(0.3, 0.5, 0.2));
    // The texture tells strands apart; the person's colour tints them.
    vec3 albedo = hair * (0.25 + 2.4 * paint.x * grey);
    made = strands(albedo, bumped(n, grey, 0.5), v, shadow, 0.6);
  } else {
    vec3 albedo = hair * mix(0.35, 1.15, v_shell) * (0.7 + 0.6 * hairs);
    made = albedo * diffuse(n, vec3(0.3), 0.25 + 0.75 * shadow);
  }
  // Filmic curve (Hable's fit is too flat at this exposure): 1 - exp(-x).
  made = 1.0 - exp(-made * exposure);
  colour = vec4(pow(made, vec3(1.0 / 2.2)), alpha);
}
