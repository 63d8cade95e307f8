// What pages need beyond furo: live figures, keyboard for boxes that scroll and for furo's switches, print
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

  // The picture is shown without script and on paper, the live figure otherwise; its data lies beside the picture
  function draw(data) {
    const fig = JSON.parse(data.textContent), box = document.createElement('div')
    const out = data.closest('.output'), before = out.previousElementSibling, img = before?.matches('img') ? before : before?.querySelector('img')
    box.className = 'plotly-live'
    box.setAttribute('role', 'group')
    box.setAttribute('aria-label', img?.alt || 'Interactive figure')
    data.after(box)
    Plotly.newPlot(box, fig.data, fig.layout, {displaylogo: false, ...fig.config, responsive: !fig.layout?.width}).then(() => {
      img?.classList.add('has-live')
      fit(box, fig.layout?.width)
      addEventListener('resize', () => fit(box, fig.layout?.width))
    })
  }

  // A figure of fixed width has labels that were placed for it: it's scaled as a whole, and scrolls where it would get too small
  function fit(box, width) {
    if (!width) return
    const k = Math.min(1, Math.max(.75, box.parentElement.clientWidth/width)), height = box.offsetHeight
    Object.assign(box.style, {width: `${width}px`, transform: `scale(${k})`, transformOrigin: '0 0', marginBottom: `${(k - 1)*height}px`, marginRight: `${(k - 1)*width}px`})
  }

  function liveFigures() {
    const figures = all('script.plotly-json')
    if (!figures.length) return
    const lib = document.createElement('script')
    lib.src = new URL('plotly.min.js', statics)
    lib.onload = () => figures.forEach(draw)
    document.head.append(lib)
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
  liveFigures()
})()
