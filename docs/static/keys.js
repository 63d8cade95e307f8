// "/" and Ctrl or Cmd with K go to the search box, and open the menu that holds it on a phone
(() => {
  const box = document.querySelector('.sidebar-search, .top input[name="q"]')
  if (!box) return
  const TYPED = 'input:not([type=radio], [type=checkbox], [type=range]), textarea, [contenteditable]'

  function isSearchKey(e) {
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() == 'k') return true
    return e.key == '/' && !e.target.closest?.(TYPED)
  }

  addEventListener('keydown', e => {
    if (!isSearchKey(e)) return
    e.preventDefault()
    const menu = document.querySelector('#__navigation')
    if (menu) menu.checked = true
    box.focus()
    box.select()
  })
  if (matchMedia('(min-width: 46em)').matches) box.placeholder = 'Search (press /)'
})()
