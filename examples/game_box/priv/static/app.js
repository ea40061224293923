// The JavaScript of GameBox: LiveView, and a button that copies.
const token = document.querySelector("meta[name='csrf-token']").content;

// Phones share the text. If there is no clipboard (plain http), or it is refused, the text is shown and selected.
const Copy = {
  mounted() {
    const { text } = this.el.dataset;
    const shares = navigator.share && matchMedia("(pointer: coarse)").matches;
    if (shares) this.el.textContent = "Share invitation";

    this.el.addEventListener("click", async () => {
      try {
        if (shares) return await navigator.share({ title: document.title, url: text });
        await navigator.clipboard.writeText(text);
        this.pushEvent("copied", {});
      } catch (error) {
        // A person who closes the dialogue has changed their mind.
        if (error.name !== "AbortError") this.pushEvent("not-copied", {});
      }
    });

    this.handleEvent("select-invitation", () => document.getElementById("invitation")?.select());
  },
};

// LiveView's client does not send an empty file, and does not report it.
const ChosenFile = {
  mounted() {
    const look = (files) => {
      if (files[0] && files[0].size === 0) this.pushEvent("empty-file", {});
    };
    this.el.addEventListener("change", (event) => look(event.target.files || []));
    this.el.addEventListener("drop", (event) => look(event.dataTransfer.files), true);
  },
};

const socket = new LiveView.LiveSocket("/live", Phoenix.Socket, {
  params: { _csrf_token: token },
  hooks: { Copy, ChosenFile },
});
socket.connect();
