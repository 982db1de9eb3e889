"""The user's folders of settings; Hydra imports this at every start, so heavy imports wait."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class OwnFolders(SearchPathPlugin):
    """Adds the user's folders of settings to robustseg's own, and to no other program's."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add them."""
        from robustseg.configuration.own_conf import conf_folder, own_folders

        main = [entry.path for entry in search_path.get_path() if entry.provider == "main"]
        if [path.removeprefix("file://") for path in main] == [str(conf_folder())]:
            for folder in own_folders():
                search_path.append("robustseg", f"file://{folder}")
