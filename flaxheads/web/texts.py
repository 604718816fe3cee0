"""The texts of the page, and small pieces of HTML around them."""

import html

TITLE = 'flaxheads: a portrait comes to life'
HEAD = """
# flaxheads

A portrait comes to life from a handful of pictures: give a few of one person,
and a video that shows how to move.
"""
PEOPLE = """
Animate **yourself**, or **people who have agreed to it**. Every video that you
make here is signed as synthetic and carries an invisible watermark; the tab
*Verify* reads both. Nothing leaves the machine that this page runs on.
What you make is deleted when you leave, what you upload within an hour.
"""
RIGHTS = (
  'I may animate who is shown in the pictures: myself, or somebody who has'
  ' agreed, or nobody alive'
)
LIVE = """
The person moves as you do before the camera. Look at it calmly for the first
frames: they tell the shape of your face. Pictures carry a visible label and the
watermark; they are not kept.
"""
VERIFY = """
What a picture or video says of its origin, and whether it was changed since.
That nothing is found proves nothing.
"""
CSS = """
.note { margin: 0; padding: .5rem .75rem; border-radius: 6px;
  background: var(--background-fill-secondary); color: var(--body-text-color);
  border-left: 4px solid var(--color-accent); overflow-wrap: anywhere; }
.note.wrong { border-left-color: #c2410c; }
.note ul { margin: 0; padding-left: 1.1rem; }
.bar { height: .75rem; border-radius: 6px; overflow: hidden; margin-top: .4rem;
  background: var(--border-color-primary); }
.bar span { display: block; height: 100%; background: var(--color-accent); }
.caption-label { font-size: .6rem; padding: 0 .3rem; }
/* As many as fit, below the label that lies over them. */
.faces .grid-wrap { padding-top: 2.2rem; overflow: visible;
  min-height: 0 !important; max-height: none !important; }
.faces .grid-container { grid-auto-rows: auto; grid-template-rows: none;
  grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); }
/* Room for the buttons below the video. */
.driver video { max-height: 240px; }
/* Square as its pictures, which it would cut, one unlike the other. */
.pair { max-width: 320px; }
pre.found { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0;
  color: var(--body-text-color); }
"""

# Gradio leaves the button around a picture without a name, and gives another
# the key of a translation.
NAMES = """
() => {
  const name = () => {
    for (const button of document.querySelectorAll('button')) {
      const label = button.closest('.block')
        ?.querySelector('[data-testid="block-label"]');
      const said = button.getAttribute('aria-label') || button.title
        || button.textContent.trim();
      if (said === 'common.upload')
        button.setAttribute('aria-label', 'Add files');
      else if (!said && label)
        button.setAttribute('aria-label', label.textContent.trim());
    }
  };
  new MutationObserver(name).observe(
    document.body, {childList: true, subtree: true});
  name();
}
"""


def note(*sentences: str, wrong: bool = False) -> str:
  """Sentences that a screen reader speaks when they appear."""
  said = [html.escape(sentence) for sentence in sentences if sentence]
  if not said:
    return ''
  inside = said[0]
  if len(said) > 1:
    inside = f'<ul>{"".join(f"<li>{text}</li>" for text in said)}</ul>'
  kind, role = ('note wrong', 'alert') if wrong else ('note', 'status')
  return f'<div class="{kind}" role="{role}">{inside}</div>'


def progress(label: str, done: int, total: int, more: str = '') -> str:
  """A bar and the same in words."""
  share = round(100 * done / max(total, 1))
  text = f'{label}: {done} of {total}{f", {more}" if more else ""}'
  return (
    f'<div class="note">{html.escape(text)}'
    f'<div class="bar" role="progressbar" aria-label="{html.escape(label)}"'
    f' aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share}">'
    f'<span style="width:{share}%"></span></div></div>'
  )


def found(text: str) -> str:
  """What was read from a file, line by line."""
  return f'<pre class="found" role="status">{html.escape(text)}</pre>'
