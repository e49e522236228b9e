from proxy.auth.errors import bad_request, credential_invalid, credential_missing, not_admitted


def test_status_code_and_challenge() -> None:
    made = [make("why") for make in (bad_request, credential_missing, credential_invalid, not_admitted)]
    assert [(error.status, error.code) for error in made] == [
        (400, -32000),
        (401, -32001),
        (401, -32001),
        (403, -32001),
    ]
    assert [error.www_authenticate for error in made] == [
        None,
        'Bearer realm="executor"',
        'Bearer realm="executor", error="invalid_token", error_description="why"',
        None,
    ]
    assert {str(error) for error in made} == {"why"}
