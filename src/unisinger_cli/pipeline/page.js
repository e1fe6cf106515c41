'use strict';
// One cursor for each stem: it follows the player, and a click on a picture moves the player.
for (const stem of document.querySelectorAll('.stem')) {
  const player = stem.querySelector('audio');
  const seconds = Number(stem.dataset.seconds);
  const boxes = [...stem.querySelectorAll('.picture')];
  const seek = (picture, event) => {
    const box = picture.getBoundingClientRect();
    player.currentTime = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * seconds;
    show();
  };
  const show = () => {
    for (const picture of boxes) {
      const x = Math.min(player.currentTime / seconds, 1) * picture.clientWidth;
      picture.querySelector('.cursor').style.transform = `translateX(${x}px)`;
      const view = picture.parentElement;
      if (!player.paused && (x < view.scrollLeft || x > view.scrollLeft + 0.92 * view.clientWidth))
        view.scrollLeft = x - 0.08 * view.clientWidth;
    }
    if (!player.paused) requestAnimationFrame(show);
  };
  for (const picture of boxes) {
    picture.classList.add('live');
    picture.addEventListener('click', event => seek(picture, event));
    // the singing may begin late: the pictures open where it does
    picture.parentElement.scrollLeft = Math.max(0, stem.dataset.first / seconds * picture.clientWidth - 40);
  }
  player.addEventListener('play', () => {
    for (const other of document.querySelectorAll('audio')) if (other !== player) other.pause();
    show();
  });
  for (const name of ['seeked', 'timeupdate', 'pause']) player.addEventListener(name, show);
}
