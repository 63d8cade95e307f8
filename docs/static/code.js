// Code and tables: lines that wrap with a hanging indent, copy buttons, columns of numbers told apart from text
(() => {
  const all = (sel, from=document) => [...from.querySelectorAll(sel)]
  const sources = () => all('article div.highlight > pre').filter(o => !o.closest('.cell_output'))

  // A long line may break after a bracket, comma or equals sign, too
  const breakable = html => html.replace(/<span class="[po]">[^<]*[([{,=][^<]*<\/span>/g, '$&<wbr>')

  // The spaces that a line begins with, apart: a phone shows them narrower
  const indented = html => html.replace(/^((?:<span[^>]*>|<\/span>)*)( +)/, '$1<span class="indent">$2</span>')

  // Each line of a box becomes an element that knows its indent, so that CSS can hang what doesn't fit
  function hangLines(pre) {
    const lines = pre.innerHTML.replace(/\n$/, '').split('\n')
    pre.replaceChildren(...lines.map(html => {
      const line = document.createElement('span')
      line.className = 'line'
      line.innerHTML = `${indented(breakable(html))}\n`
      line.style.setProperty('--indent', `${line.textContent.search(/\S|$/)}ch`)
      return line
    }))
  }

  // What a box's button copies: the code, without prompts and what a terminal answered
  function codeOf(pre) {
    const copy = pre.cloneNode(true)
    all('.gp, .line:has(.go)', copy).forEach(o => o.remove())
    return copy.textContent.replace(/\n$/, '')
  }

  // The clipboard belongs to safe pages; elsewhere an old command does the same
  async function toClipboard(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text)
    const area = document.createElement('textarea')
    area.value = text
    document.body.append(area)
    area.select()
    document.execCommand('copy')
    area.remove()
  }

  // A button that copies the box, shows a tick for a moment, and has it said
  function copyButton(pre, spoken) {
    const button = document.createElement('button')
    button.className = 'copy'
    button.type = 'button'
    button.title = 'Copy'
    button.setAttribute('aria-label', 'Copy the code')
    button.addEventListener('click', async () => {
      await toClipboard(codeOf(pre))
      button.classList.add('copied')
      spoken.textContent = 'Copied'
      setTimeout(() => {
        button.classList.remove('copied')
        spoken.textContent = ''
      }, 2000)
    })
    pre.after(button)
  }

  // A place whose text a screen reader says when it changes
  function spokenPlace() {
    const place = document.createElement('div')
    place.className = 'spoken'
    place.setAttribute('role', 'status')
    document.body.append(place)
    return place
  }

  // A number begins with digits: 0.87, −3 ± 2, 0.2 (0.1 to 0.3), 3 of 7, 1e-05, 12 ms. NaN or a dash may stand for one
  function isNumber(text) {
    const bare = text.replace(/\b(to|of|nan|nat|na|none)\b|(?<=\d)e(?=[-+]?\d)/gi, '').trim()
    return /^[^\p{L}\d]*\d[^\p{L}]*\p{L}{0,3}$/u.test(bare) || !/[\p{L}\d]/u.test(bare)
  }

  // Columns are counted from the right, where no row has cells that span several
  function alignTable(table) {
    const rows = [...table.rows].filter(o => [...o.cells].every(c => c.colSpan == 1))
    const body = rows.filter(o => !o.closest('thead'))
    const cell = (row, i) => row.cells[row.cells.length - 1 - i]
    for (let i = 0; i < Math.max(0, ...body.map(o => o.cells.length)); i++) {
      const texts = body.map(o => cell(o, i)?.textContent ?? '')
      const kind = texts.every(isNumber) && texts.some(o => /\d/.test(o)) ? 'numbers' : 'words'
      const long = texts.some(o => o.trim().length > 18)
      rows.forEach(o => cell(o, i)?.classList.add(kind, ...(long ? ['long'] : [])))
    }
  }

  const spoken = spokenPlace()
  for (const pre of sources()) {
    hangLines(pre)
    copyButton(pre, spoken)
  }
  all('article .cell_output table, article .table-wrapper > table:not(.field-list)').forEach(alignTable)
})()
