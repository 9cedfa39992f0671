(function () {
  "use strict";
  // Without this the form is sent by its button. With it the list follows what is typed.
  var form = document.getElementById("filter");
  if (!form || !window.fetch || !window.DOMParser) return;
  form.className += " live";
  var timer, asked = 0;

  function query() {
    var all = new URLSearchParams(new FormData(form)), some = new URLSearchParams();
    all.forEach(function (value, key) { if (value) some.set(key, value); });
    return "?" + some.toString();
  }

  function load() {
    var mine = ++asked, url = query();
    fetch(url, { headers: { Accept: "text/html" } }).then(function (answer) {
      if (!answer.ok) throw new Error(answer.status);
      return answer.text();
    }).then(function (text) {
      if (mine !== asked) return;
      var page = new DOMParser().parseFromString(text, "text/html");
      ["overview", "results", "count"].forEach(function (id) {
        var from = page.getElementById(id), to = document.getElementById(id);
        if (id === "count") to.innerHTML = from.innerHTML; // it stays, so that it is read out
        else to.replaceWith(document.adoptNode(from));
      });
      history.replaceState(null, "", url);
    }).catch(function () { if (mine === asked) form.submit(); });
  }

  form.addEventListener("input", function () {
    clearTimeout(timer);
    timer = setTimeout(load, 200);
  });
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    clearTimeout(timer);
    load();
  });
})();
