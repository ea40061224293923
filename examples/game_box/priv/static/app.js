// The browser's side of GameBox: LiveView, and a button that copies.
const token = document.querySelector("meta[name='csrf-token']").content;

const Copy = {
  mounted() {
    this.el.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.el.dataset.text);
      this.pushEvent("copied", {});
    });
  },
};

const socket = new LiveView.LiveSocket("/live", Phoenix.Socket, {
  params: { _csrf_token: token },
  hooks: { Copy },
});
socket.connect();
