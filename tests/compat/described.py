"""The public face of a class as text; the tests and official.py share it."""

import inspect


def described(cls: type) -> dict[str, str]:
    """Constructor and public methods: parameters and defaults, without annotations."""
    names = [name for name in vars(cls) if name[0] != "_" and callable(getattr(cls, name))]
    faces = {"()": inspect.signature(cls)}
    faces |= {name: inspect.signature(getattr(cls, name)) for name in names}
    empty = inspect.Parameter.empty
    return {
        name: str(
            inspect.Signature([p.replace(annotation=empty) for p in face.parameters.values()])
        )
        for name, face in faces.items()
    }
