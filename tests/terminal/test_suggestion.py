from robustseg.terminal.suggestion import nearest, suggestion


def test_what_is_near_is_named_or_what_there_is():
    assert suggestion("tlos", ["tloss", "gce"]) == "did you mean tloss?"
    assert suggestion("zzz", ["b", "a"]) == "there are: a, b"
    assert nearest("zzz", ["b", "a"]) is None


def test_names_need_not_be_text():
    assert suggestion("7", [10, 2]) == "there are: 10, 2"
