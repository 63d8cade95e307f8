// What pages need beyond furo: keyboard for boxes that scroll and for furo's switches, print
(() => {
  const all = (sel, from=document) => [...from.querySelectorAll(sel)]
  const statics = new URL('.', document.currentScript?.src || document.querySelector('script[src*="site.js"]').src)

  const BOXES = 'article pre, article .table-wrapper, article .cell_output .output, article div.math, article .math-wrapper'

  // A box that scrolls fades where it goes on
  function fade(box) {
    const left = box.scrollLeft > 2, right = box.scrollLeft + box.clientWidth < box.scrollWidth - 2
    box.classList.toggle('more-left', left)
    box.classList.toggle('more-right', right)
  }

  // A box that scrolls can be reached by Tab, so that arrow keys move it
  function reachable() {
    for (const o of all(`${BOXES}, .sidebar-scroll, .toc-scroll`)) {
      const scrolls = o.scrollWidth > o.clientWidth || (o.scrollHeight > o.clientHeight && getComputedStyle(o).overflowY == 'auto')
      if (scrolls) o.tabIndex = 0
      else o.removeAttribute('tabindex')
    }
    all(BOXES).forEach(fade)
  }

  // furo opens its sidebars and branches by labels, which no key reaches: they become buttons
  function pressable(label, name) {
    label.tabIndex = 0
    label.setAttribute('role', 'button')
    label.setAttribute('aria-label', name)
    label.addEventListener('keydown', e => {
      if (e.key != 'Enter' && e.key != ' ') return
      e.preventDefault()
      label.click()
    })
  }

  // Folded answers are printed open
  const folded = () => all('details:not([open])')
  let opened = []
  addEventListener('beforeprint', () => { opened = folded(); opened.forEach(o => o.open = true) })
  addEventListener('afterprint', () => opened.forEach(o => o.open = false))

  all(BOXES).forEach(o => o.addEventListener('scroll', () => fade(o), {passive: true}))
  new ResizeObserver(reachable).observe(document.querySelector('article'))
  document.querySelector('.sidebar-drawer')?.setAttribute('aria-label', 'Chapters')
  document.querySelector('.toc-drawer')?.setAttribute('aria-label', 'On this page')
  all('label[for="__navigation"]:not(.overlay)').forEach(o => pressable(o, 'Chapters'))
  all('label[for="__toc"]:not(.overlay)').forEach(o => pressable(o, 'On this page'))
})()
