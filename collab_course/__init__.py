"Embeddings and collaborative filtering, built from one-hot vectors up"
import warnings

__version__ = "0.0.1"
warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated") # raised inside fastai at import
