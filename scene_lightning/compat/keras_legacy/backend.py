"""Functions of `keras.backend` that Keras dropped with TensorFlow 1's sessions."""

from scene_lightning.compat.tensorflow.v1.session import Session


def get_session(op_input_list: object = ()) -> Session:
    """Make a session that can be held and entered; it runs nothing.

    Args:
        op_input_list: ignored.
    """
    return Session()


__all__ = ["get_session"]
