from integrations.openapi.binding import DEFAULT_STYLES, LOCATIONS, Media


def test_the_essence_of_a_media_type_has_no_parameters() -> None:
    assert Media("Application/JSON ; charset=utf-8", {}).essence == "application/json"


def test_every_location_has_a_default_style() -> None:
    assert set(DEFAULT_STYLES) == set(LOCATIONS)
