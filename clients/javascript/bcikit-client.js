// The client lives where the web page is served from; in a project of your own copy that one file.
export * from "../../bcikit/presentation/web/bcikit-client.js";
