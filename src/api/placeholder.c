typedef int api_placeholder;
