"""Device profiles that come with bcikit, one TOML file each."""
