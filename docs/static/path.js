// The sidebar shows where one is: it scrolls to the current page
(() => {
  const here = document.querySelector('.sidebar-tree .current-page'), box = document.querySelector('.sidebar-scroll')
  if (!here || !box) return
  box.style.scrollBehavior = 'auto'
  box.scrollTop += here.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight/3
})()
