"""The mistakes that launch/proofs/mistakes.py makes, as changes of source."""

from launch.proofs._making import Mutation

MISTAKES = 'tests/test_mistakes.py'
PIPELINE = 'tests/data/test_pipeline.py'
FINETUNING = 'tests/fewshot/test_mistakes_of_finetuning.py'
TRAINING = 'tests/training'  # two files: of checkpoints, and of the workdir
_ELSEWHERE = {
  **dict.fromkeys((2, 3, 12), PIPELINE),
  **dict.fromkeys((1, 10, 15), FINETUNING),
  14: TRAINING,
}


def tests_of(number: int) -> tuple[str, str]:
  """File or folder with the tests of a mistake, and how their names begin."""
  return _ELSEWHERE.get(number, MISTAKES), f'test_mistake_{number:02}'


_FINETUNING = 'flaxheads/fewshot/finetuning.py'
_FINETUNE_STEP = 'flaxheads/fewshot/finetune_step.py'
_GENERATOR = 'flaxheads/models/generator.py'
_LOSSES = 'flaxheads/training/losses.py'
_INPUTS = 'flaxheads/models/normalisation.py'
_PERCEPTUAL = 'flaxheads/models/perceptual.py'
_READ = 'flaxheads/data/episodes.py'
_TABLE = 'flaxheads/training/identity_table.py'
_KEEP = 'flaxheads/training/checkpoints.py'
_WORKDIR = 'flaxheads/training/workdir.py'

MUTATIONS = (
  Mutation(
    1,
    "psi' is not trained",
    _FINETUNE_STEP,
    "psi = params['adain_params'][None]",
    "psi = jax.lax.stop_gradient(params['adain_params'])[None]",
  ),
  Mutation(
    1,
    "w' is not trained",
    _FINETUNE_STEP,
    "rows = trained['rows'][None]",
    "rows = jax.lax.stop_gradient(trained['rows'])[None]",
  ),
  Mutation(
    2,
    'the target is a support frame',
    _READ,
    'drawn = rng.choice(num_frames, self._num_support + 1, replace=False)\n',
    'drawn = rng.choice(num_frames, self._num_support + 1, replace=False)\n'
    '    drawn[-1] = drawn[0]\n',
  ),
  Mutation(
    3,
    'height and width are swapped',
    'flaxheads/data/records.py',
    'rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)\n',
    'rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).transpose(1, 0, 2)\n',
  ),
  Mutation(
    4,
    'VGG sees RGB',
    _INPUTS,
    "if convention.channels == 'BGR':",
    "if convention.channels == 'RGB':",
  ),
  Mutation(
    4,
    'VGG sees 0..1',
    _INPUTS,
    'x = (x + 1) * half + convention.low',
    'x = (x + 1) / 2',
  ),
  Mutation(
    4,
    'VGGFace has the mean of ImageNet',
    _PERCEPTUAL,
    'convention=conventions.CAFFE_VGGFACE',
    'convention=conventions.CAFFE_VGG',
  ),
  Mutation(
    5,
    'the pyramid loss is detached',
    _LOSSES,
    'x = fake - jax.lax.stop_gradient(real)',
    'x = jax.lax.stop_gradient(fake - real)',
  ),
  Mutation(
    5,
    'the perceptual loss is detached',
    'flaxheads/training/content.py',
    'networks[name].apply(variables, fake)',
    'networks[name].apply(variables, jax.lax.stop_gradient(fake))',
  ),
  Mutation(
    5,
    'feature matching is detached',
    'flaxheads/training/adversarial.py',
    'features = weights.feature_matching * losses.features_loss(\n'
    '      output.features,',
    'features = weights.feature_matching * losses.features_loss(\n'
    '      jax.lax.stop_gradient(output.features),',
  ),
  Mutation(
    6,
    'D learns with x̂ attached to G',
    'flaxheads/training/adversarial.py',
    '  (generator_gradient,) = pull_generator(',
    '  attached = jax.grad(_hinge, argnums=1)(\n'
    '    real_output.score, fake_output.score\n'
    '  )\n'
    '  zeros = jax.tree.map(jax.numpy.zeros_like, fake_output.features)\n'
    '  fake_cotangent += pull_fake(type(fake_output)(attached, zeros))[1]\n'
    '  (generator_gradient,) = pull_generator(',
  ),
  Mutation(
    7,
    'a sigmoid in the hinge',
    _LOSSES,
    'return jax.nn.relu(1 + fake_score).mean()',
    'fake_score, real_score = map(jax.nn.sigmoid, (fake_score, real_score))\n'
    '  return jax.nn.relu(1 + fake_score).mean()',
  ),
  Mutation(
    7,
    'a sigmoid at the end of D',
    'flaxheads/models/discriminator.py',
    'DiscriminatorOutput((v * w).sum(-1) + b,',
    'DiscriminatorOutput(nn.sigmoid((v * w).sum(-1) + b),',
  ),
  Mutation(
    8,
    'the second AdaIN reads the slice of the first',
    _GENERATOR,
    '(slices.take(c), slices.take(c)) for',
    '(slices.take(c),) * 2 for',
  ),
  Mutation(
    8,
    'slices overlap',
    _GENERATOR,
    'shift = self.adain_params[:, start:middle]',
    'shift = self.adain_params[:, :channels]',
  ),
  Mutation(
    8,
    'the scale has no "+1"',
    _GENERATOR,
    'instance_norm(x, 1 + scale, shift)',
    'instance_norm(x, scale, shift)',
  ),
  Mutation(
    9,
    'dense momentum moves every row',
    _TABLE,
    'put(table.rows, rows),',
    'put(table.rows - learning_rate * table.first_moment, rows),',
  ),
  Mutation(
    9,
    'all videos share one moment',
    _TABLE,
    'b1 * take(table.first_moment)',
    'b1 * table.first_moment[:1]',
  ),
  Mutation(
    9,
    'all videos share one count of updates',
    _TABLE,
    'updates = take(table.updates) + 1',
    'updates = jnp.max(table.updates) + jnp.ones_like(local)',
  ),
  Mutation(
    10,
    'spectral normalisation takes w0 for a matrix',
    'flaxheads/models/spectral.py',
    "if path[-1] == 'kernel']",
    "if path[-1] in ('kernel', 'w0')]",
  ),
  Mutation(
    10,
    "w' is divided by its norm",
    _FINETUNE_STEP,
    "rows = trained['rows'][None]",
    "rows = (trained['rows'] / jnp.linalg.norm(trained['rows']))[None]",
  ),
  Mutation(
    11,
    'a mean for the sum',
    'flaxheads/models/embedder.py',
    'nn.relu(x).sum((1, 2), dtype=wide(x.dtype))',
    'nn.relu(x).mean((1, 2), dtype=wide(x.dtype))',
  ),
  Mutation(
    11,
    'a maximum for the sum',
    'flaxheads/models/embedder.py',
    'nn.relu(x).sum((1, 2), dtype=wide(x.dtype))',
    'nn.relu(x).max((1, 2))',
  ),
  Mutation(
    12,
    'the same frames of a video for ever',
    _READ,
    '[self._seed, position, 1, self._part]',
    '[self._seed, index, 1, self._part]',
  ),
  Mutation(
    13,
    'the step draws outside the device',
    'flaxheads/training/sample.py',
    'pictures = rasterise_landmarks(points, config.model.image_size)\n',
    'pictures = jax.pure_callback(\n'
    '    lambda points: rasterise_landmarks(points, config.model.image_size),\n'
    '    jax.ShapeDtypeStruct(frames.shape, jnp.float32),\n'
    '    points,\n'
    '  )\n',
  ),
  Mutation(
    13,
    'training knows the detector',
    'flaxheads/training/sample.py',
    'from flaxheads.landmarks.rasterise import rasterise_landmarks\n',
    'from flaxheads.landmarks.rasterise import rasterise_landmarks\n'
    'from flaxheads.landmarks.detect import make_detector\n',
  ),
  Mutation(
    14,
    'a checkpoint without the state of the optimisers',
    _KEEP,
    'state=ocp.args.StandardSave(state)',
    'state=ocp.args.StandardSave(state.replace(generator_optimizer='
    'jax.tree.map(jax.numpy.zeros_like, state.generator_optimizer)))',
  ),
  Mutation(
    14,
    'a stale checkpoint is taken',
    _WORKDIR,
    'if field not in _FREE and old',
    'if field in _FREE and old',
  ),
  Mutation(
    15,
    'fine-tuning detects at every step',
    _FINETUNING,
    'state, _ = programs.step(state, *given)\n',
    'from flaxheads.landmarks import detect\n'
    '    for frame in frames[batch]:\n'
    '      detect.make_detector()(frame)\n'
    '    state, _ = programs.step(state, *given)\n',
  ),
  Mutation(
    15,
    'fine-tuning draws at every step',
    _FINETUNING,
    'given = x[batch], y[batch]\n',
    'y = np.asarray(rasterise_landmarks(points, model.config.image_size))\n'
    '    given = x[batch], y[batch]\n',
  ),
)
